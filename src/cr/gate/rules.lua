--- The conditions of a gate, one function each, over answers of the API.
--
-- Each returns nothing when its condition holds, else a code and a sentence. A field that is
-- missing or of another type than documented never lets a tag pass.

local names = require "cr.gate.names"

local rules = {}

local MILLISECONDS_OF_A_DAY = 86400000

--- @tparam table tag an answer of GetRepoTag
function rules.status(tag)
  if tag.Status ~= "NORMAL" then
    return "TagNotNormal", ("the tag is %s, not NORMAL"):format(tostring(tag.Status))
  end
end

--- @tparam table tag
-- @tparam number days
-- @tparam number now seconds since the epoch
function rules.age(tag, days, now)
  local created = tonumber(tag.ImageCreate)
  if not created then
    return "AgeUnknown", "the API does not tell when the image was made"
  elseif now * 1000 - created > days * MILLISECONDS_OF_A_DAY then
    return "TooOld", ("the image is older than %g days"):format(days)
  end
end

--- @tparam table tag
-- @param wanted what the configuration has for the tag: a digest, false (any), or nil
function rules.digest(tag, wanted)
  if wanted == false then
    return
  elseif wanted == nil then
    return "DigestNotPinned", "no digest is pinned for the tag"
  end
  wanted = names.to_digest(wanted)
  if not wanted then
    return "DigestNotPinned", "what is pinned for the tag is no digest"
  elseif names.to_digest(tag.Digest) ~= wanted then
    return "DigestMismatch", "the tag does not have the digest that is pinned"
  end
end

--- @tparam table status an answer of GetRepoTagScanStatus
function rules.scan_status(status)
  if status.Status ~= "COMPLETE" then
    return "ScanNotComplete", ("the scan is %s, not COMPLETE"):format(tostring(status.Status))
  end
end

local LEVELS = {
  { name = "high", field = "HighSeverity" },
  { name = "medium", field = "MediumSeverity" },
  { name = "low", field = "LowSeverity" },
  { name = "unknown", field = "UnknownSeverity" },
}

--- Names of levels, from the gravest; "unknown" includes them all.
rules.levels = {}
for index, level in ipairs(LEVELS) do
  rules.levels[level.name] = index
end

--- @tparam table summary an answer of GetRepoTagScanSummary
-- @tparam string limit the level from which on a vulnerability refuses the tag
-- @return nothing, or code, sentence
function rules.scan_summary(summary, limit)
  local rest, found = tonumber(summary.TotalSeverity), 0
  for index, level in ipairs(LEVELS) do
    local count = tonumber(summary[level.field])
    if not count or not rest then
      return "ScanUnreadable", "the scan's summary lacks " .. (rest and level.field or
        "TotalSeverity")
    end
    rest = rest - count
    if index <= rules.levels[limit] then
      found = found + count
    end
  end
  -- What the total has beyond the four is of a level that is not known here, perhaps a graver one.
  found = found + math.max(rest, 0)
  if found > 0 then
    return "Vulnerable", ("the scan found %d of severity %s%s"):format(found, limit,
      limit == "high" and "" or " or above")
  end
end

return rules
