--- "Did you mean": the known name closest to a mistyped one.

--- Edits (insert, delete, replace, swap neighbours) between two texts, upper and lower case alike.
local function distance(a, b)
  a, b = a:lower(), b:lower()
  local before, previous = nil, {}
  for j = 0, #b do
    previous[j] = j
  end
  for i = 1, #a do
    local current = { [0] = i }
    for j = 1, #b do
      local same = a:byte(i) == b:byte(j)
      local edits = math.min(previous[j] + 1, current[j - 1] + 1,
        previous[j - 1] + (same and 0 or 1))
      if before and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        edits = math.min(edits, before[j - 2] + 1)
      end
      current[j] = edits
    end
    before, previous = previous, current
  end
  return previous[#b]
end

local LONGEST = 64 -- bytes; longer names are not typing errors of ours

--- @tparam string name what was written
-- @tparam table candidates array of the names there are
-- @treturn ?string the closest one, nil when none is close (no letter in common is not)
return function(name, candidates)
  local best, best_distance
  if #name <= LONGEST then
    for _, candidate in ipairs(candidates) do
      local edits = distance(name, candidate)
      if edits <= math.max(1, math.floor(#candidate / 3)) and edits < #name and
        (not best or edits < best_distance) then
        best, best_distance = candidate, edits
      end
    end
  end
  return best
end
