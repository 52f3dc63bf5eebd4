--- Reads and writes the API's dates, `YYYY-MM-DDTHH:MM:SSZ` with or without a fraction.
--
-- os.time knows the local time zone only, so the days are counted here.

local iso8601 = {}

local DAYS = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }

local function is_leap(year)
  return year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
end

--- Days from 1970-01-01, by the count of a calendar whose year begins in March.
local function days_since_epoch(year, month, day)
  if month <= 2 then
    year = year - 1
  end
  local era_year = year % 400
  local day_of_year = math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1
  local day_of_era = era_year * 365 + math.floor(era_year / 4) - math.floor(era_year / 100) +
    day_of_year
  return math.floor(year / 400) * 146097 + day_of_era - 719468
end

--- @return seconds since the epoch, or nil when the text is no such date
function iso8601.parse(text)
  local year, month, day, hour, minute, second, rest =
    text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)(.*)$")
  if not year or not (rest == "Z" or rest:match("^%.%d+Z$")) then
    return nil
  end
  year, month, day = tonumber(year), tonumber(month), tonumber(day)
  hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second)
  local last = month == 2 and is_leap(year) and 29 or DAYS[month]
  if not last or day < 1 or day > last or hour > 23 or minute > 59 or second > 60 then
    return nil
  end
  return days_since_epoch(year, month, day) * 86400 + hour * 3600 + minute * 60 + second
end

--- @param seconds since the epoch
function iso8601.format(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

return iso8601
