--- Keeping secrets out of what people and logs read.
--
-- Errors and events carry texts of the other side, which may quote what it was sent. Before they
-- leave the client they are masked here, with the secrets that were in use.

local percent = require "cr.percent"

local secret = {}

local MASK = "***"

-- Bytes. A shorter "secret" stands in any sentence by chance; real ones have 30 and more.
local SHORTEST = 6

local LONG_RUN = 16 -- letters and digits that stand nowhere by chance

--- Replaces one text by the mask, wherever it stands.
local function replace(text, form)
  local start, stop = text:find(form, 1, true)
  while start do
    text = text:sub(1, start - 1) .. MASK .. text:sub(stop + 1)
    start, stop = text:find(form, start + #MASK, true)
  end
  return text
end

--- The forms in which secrets may be quoted: as they are, percent-encoded once (in a query) and
-- twice (in the string to sign of a V1 signature); for others (cut short, escaped in another way)
-- their long runs of letters and digits, which every encoding leaves as they are.
-- @tparam ?table secrets any table whose values are the secrets
-- @treturn table array, what the functions below take
function secret.forms(secrets)
  local forms, known = {}, {}
  local function add(form)
    if not known[form] then
      known[form] = true
      forms[#forms + 1] = form
    end
  end
  for _, value in pairs(secrets or {}) do
    if #value >= SHORTEST then
      local once = percent.encode(value)
      add(value)
      add(once)
      add(percent.encode(once))
    end
    for run in value:gmatch("%w+") do
      if #run >= LONG_RUN then
        add(run)
      end
    end
  end
  -- The longest first: a shorter one may be a part of it.
  table.sort(forms, function(x, y) return #x > #y end)
  return forms
end

-- By credential, as long as that is used: events are masked at every attempt.
local forms_of = setmetatable({}, { __mode = "k" })

--- The forms of what of a credential nobody may see.
function secret.of(credential)
  local forms = forms_of[credential]
  if not forms then
    forms = secret.forms { credential.security_token, credential.access_key_secret }
    forms_of[credential] = forms
  end
  return forms
end

--- Replaces secrets in a text.
function secret.mask(text, forms)
  for _, form in ipairs(forms) do
    text = replace(text, form)
  end
  return text
end

--- The same for all texts of a value, names of fields too. Returns a new one.
function secret.mask_all(value, forms)
  if type(value) == "string" then
    return secret.mask(value, forms)
  elseif type(value) ~= "table" then
    return value
  end
  local masked = {}
  for name, field in pairs(value) do
    masked[secret.mask_all(name, forms)] = secret.mask_all(field, forms)
  end
  return masked
end

--- The same for an error, in place.
function secret.mask_error(err, forms)
  for name, value in pairs(err) do
    err[name] = secret.mask_all(value, forms)
  end
  return err
end

--- An access key id as it may be shown: its last four characters.
function secret.masked_id(id)
  return "****" .. (#id > 8 and id:sub(-4) or "")
end

return secret
