--- RAM policies: reads them, tells what is wrong with one, and decides by them.
--
-- A matching Deny wins over every Allow, and what no statement allows is denied. Actions are
-- compared without regard to case, resources with it; `*` stands for anything, `?` for one
-- character. Conditions are refused, not passed over: a policy that is read in part would allow
-- more than it says. Plain Lua, for the launcher checks fixtures with it.

local cjson = require "cjson.safe"

local policies = {}

local EFFECTS = { Allow = true, Deny = true }
local STATEMENT = { Effect = true, Action = true, Resource = true }
local DOCUMENT = { Version = true, Statement = true }

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function is_array(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

--- What is wrong with an Action or Resource: a string, or an array of some.
local function problem_of_patterns(value, place)
  if is_text(value) then
    return nil
  end
  local ok = is_array(value) and #value > 0
  for _, item in ipairs(ok and value or {}) do
    ok = ok and is_text(item)
  end
  if not ok then
    return place .. ": a string or an array of strings expected"
  end
end

local function unknown_name(object, known, place)
  for name in pairs(object) do
    if not known[name] then
      return ("%s.%s: no such name in a policy here"):format(place, tostring(name))
    end
  end
end

local function problem_of_statement(statement, place)
  if type(statement) ~= "table" or statement[1] ~= nil then
    return place .. ": an object expected"
  elseif statement.Condition ~= nil then
    return place .. ".Condition: conditions are not evaluated here, leave it away"
  elseif not EFFECTS[statement.Effect] then
    return place .. '.Effect: "Allow" or "Deny" expected'
  end
  return unknown_name(statement, STATEMENT, place)
    or problem_of_patterns(statement.Action, place .. ".Action")
    or problem_of_patterns(statement.Resource, place .. ".Resource")
end

local function problem_of_document(document, place)
  if type(document) ~= "table" or document[1] ~= nil then
    return place .. ": an object expected"
  elseif document.Version ~= "1" then
    return place .. '.Version: "1" expected'
  elseif not is_array(document.Statement) then
    return place .. ".Statement: an array expected"
  end
  local wrong = unknown_name(document, DOCUMENT, place)
  for index, statement in ipairs(document.Statement) do
    wrong = wrong or problem_of_statement(statement, ("%s.Statement[%d]"):format(place, index))
  end
  return wrong
end

--- Nil when `value` is one policy or an array of them, else a sentence that begins with the place.
function policies.problem(value, place)
  if not is_array(value) then
    return problem_of_document(value, place)
  end
  for index, document in ipairs(value) do
    local wrong = problem_of_document(document, ("%s[%d]"):format(place, index))
    if wrong then
      return wrong
    end
  end
end

local function patterns(value, convert)
  local list = {}
  for index, text in ipairs(type(value) == "table" and value or { value }) do
    list[index] = convert and convert(text) or text
  end
  return list
end

local function add(statements, effect, action, resource)
  statements[#statements + 1] = {
    effect = effect, actions = patterns(action, string.lower), resources = patterns(resource),
  }
end

local function add_documents(statements, value)
  for _, document in ipairs(is_array(value) and value or { value }) do
    for _, statement in ipairs(document.Statement) do
      add(statements, statement.Effect, statement.Action, statement.Resource)
    end
  end
end

--- The statements of a user or role of a fixture: its `policies`, and the short forms `allow` and
-- `deny`. Without `policies` and `allow`, all is allowed that is not denied.
-- @return array, or nil when nothing at all is said
function policies.of(given)
  if not given.policies and not given.allow and not given.deny then
    return nil
  end
  local statements = {}
  add_documents(statements, given.policies or {})
  if given.allow then
    add(statements, "Allow", given.allow, "*")
  elseif not given.policies then
    add(statements, "Allow", "*", "*")
  end
  add(statements, "Deny", given.deny or {}, "*")
  return statements
end

--- @param text JSON of one policy, as in the parameter Policy
-- @return its statements, or nil and what is wrong
function policies.parse(text)
  local document, reason = cjson.decode(text)
  if document == nil then
    return nil, "no JSON: " .. reason
  end
  reason = problem_of_document(document, "Policy")
  if reason then
    return nil, reason
  end
  local statements = {}
  add_documents(statements, { document })
  return statements
end

--- Whether a text fits a pattern. Goes back to the last star only, so that no pattern takes long.
local function fits(pattern, text)
  local at, position, star, resume = 1, 1, nil, nil
  while position <= #text do
    local wanted = pattern:sub(at, at)
    if wanted == "*" then
      star, resume = at, position
      at = at + 1
    elseif wanted == "?" or wanted == text:sub(position, position) then
      at, position = at + 1, position + 1
    elseif star then
      resume = resume + 1
      at, position = star + 1, resume
    else
      return false
    end
  end
  return pattern:find("^%**$", at) ~= nil
end

local function any_fits(list, text)
  for _, pattern in ipairs(list) do
    if fits(pattern, text) then
      return true
    end
  end
  return false
end

--- @param statements from `of` or `parse`; nil allows everything
-- @return nil when allowed, else "ExplicitDeny" or "ImplicitDeny"
function policies.refusal(statements, action, resource)
  if not statements then
    return nil
  end
  local refusal = "ImplicitDeny"
  action = action:lower()
  for _, statement in ipairs(statements) do
    if any_fits(statement.actions, action) and any_fits(statement.resources, resource) then
      if statement.effect == "Deny" then
        return "ExplicitDeny"
      end
      refusal = nil
    end
  end
  return refusal
end

return policies
