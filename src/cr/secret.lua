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

local function replace(text, value)
  local start, stop = text:find(value, 1, true)
  while start do
    text = text:sub(1, start - 1) .. MASK .. text:sub(stop + 1)
    start, stop = text:find(value, start + #MASK, true)
  end
  return text
end

--- Replaces secrets in a text, also percent-encoded once (in a query) and twice (in the string to
-- sign of a V1 signature). Of other forms (cut short, escaped in another way) the long runs of
-- letters and digits are replaced, which every encoding leaves as they are.
-- @tparam string text
-- @tparam table secrets any table whose values are the secrets
function secret.mask(text, secrets)
  for _, value in pairs(secrets) do
    local encoded = value
    for _ = 1, #value < SHORTEST and 0 or 3 do
      text = replace(text, encoded)
      encoded = percent.encode(encoded)
    end
    for run in value:gmatch("%w+") do
      text = #run >= LONG_RUN and replace(text, run) or text
    end
  end
  return text
end

--- The same for all texts of a value, names of fields too. Returns a new one.
function secret.mask_all(value, secrets)
  if type(value) == "string" then
    return secret.mask(value, secrets)
  elseif type(value) ~= "table" then
    return value
  end
  local masked = {}
  for name, field in pairs(value) do
    masked[secret.mask_all(name, secrets)] = secret.mask_all(field, secrets)
  end
  return masked
end

--- The same for an error, in place.
function secret.mask_error(err, secrets)
  for name, value in pairs(err) do
    err[name] = secret.mask_all(value, secrets)
  end
  return err
end

--- What of a credential nobody may see.
function secret.of(credential)
  return { credential.security_token, credential.access_key_secret }
end

--- An access key id as it may be shown: its last four characters.
function secret.masked_id(id)
  return "****" .. (#id > 8 and id:sub(-4) or "")
end

return secret
