--- Credentials from the user's function, which is asked at every attempt.
--
-- It returns declared credentials; as long as they are the same, the provider made of them stays,
-- so that a role which it names is not assumed anew each time.

local unavailable = require "cr.credentials.unavailable"

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then
    return a == b
  end
  for name, value in pairs(a) do
    if not same(value, b[name]) then
      return false
    end
  end
  for name in pairs(b) do
    if a[name] == nil then
      return false
    end
  end
  return true
end

local function copy(value)
  if type(value) ~= "table" then
    return value
  end
  local made = {}
  for name, field in pairs(value) do
    made[name] = copy(field)
  end
  return made
end

--- @tparam function produce the user's
-- @tparam function make makes a provider of declared credentials
-- @tparam function problem tells what is wrong with them
return function(produce, make, problem)
  local known, provider

  local function get(ask)
    local declared, reason = produce()
    if type(declared) ~= "table" then
      return nil, unavailable("the credentials function returned no table" ..
        (type(reason) == "string" and ": " .. reason or ""),
        { hint = 'return {type = "access_key", access_key_id = …, access_key_secret = …}' })
    end
    local wrong = problem(declared)
    if wrong then
      return nil, unavailable("the credentials function returned " .. wrong)
    end
    if not provider or not same(declared, known) then
      known = copy(declared)
      provider = make(known)
    end
    return provider.get(ask)
  end

  return {
    name = "function",
    get = get,
    refuse = function(credential, time)
      if provider and provider.refuse then
        return provider.refuse(credential, time)
      end
      return true -- it may return another one the next time
    end,
  }
end
