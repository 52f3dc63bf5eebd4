--- What happens to every request, whichever service it is for: checked, authenticated, hit by a
-- fault or carried out, answered.
--
-- A service has two functions. `prepare(request)` says whether this is a request that it answers
-- at all, and marks it: `operation`, `is_unsigned`, `style` of its errors (respond.lua), `product`.
-- `perform(registry, request, caller)` returns an answer, or nil and a failure.

local authenticate = require "cr.emulator.authenticate"
local faults = require "cr.emulator.faults"
local respond = require "cr.emulator.respond"

local pipeline = {}

--- Answers a request.
-- @return the answer (see respond.lua; nil when a fault leaves none), and the fault or nil
function pipeline.handle(service, registry, request)
  local wrong = service.prepare(request)
  local caller
  if not wrong and not request.is_unsigned then
    caller, wrong = authenticate(registry, request)
  end
  if wrong then
    return respond.failure(request, wrong)
  end
  local fault
  fault, wrong = faults.take(request)
  if wrong then
    return respond.failure(request, wrong)
  elseif fault and faults.replaces_operation(fault) then
    return faults.answer(fault, request), fault
  end
  local answer
  answer, wrong = service.perform(registry, request, caller)
  return answer or respond.failure(request, wrong), fault
end

return pipeline
