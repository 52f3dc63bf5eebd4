--- The options that every operation has beside its parameters. One table, for the parser, the help,
-- the completion; a spec holds the man page and the documentation against it.
--
-- `name`, `argument` (what the help calls its value; nil for a switch), `choices`, `check` (of the
-- value: returns it converted, or nil and what is expected), `text` (for the help), `is_hidden`
-- (taken because the vendor's command line has it).

local API_VERSION = "2018-12-01"

local function number(minimum, maximum, expected)
  return function(text)
    local value = text:match("^%d*%.?%d+$") and tonumber(text)
    if not value or value < minimum or value > maximum then
      return nil, expected
    end
    return value
  end
end

local function whole(minimum, maximum)
  local check = number(minimum, maximum, ("a whole number from %d to %d"):format(minimum, maximum))
  return function(text)
    local value, expected = check(text)
    if value and value % 1 ~= 0 then
      return nil, (select(2, check ""))
    end
    return value, expected
  end
end

local function line(text)
  if text == "" or text:find("%c") then
    return nil, "a text without control characters"
  end
  return text
end

local function api_version(text)
  if text ~= API_VERSION then
    return nil, API_VERSION .. ", the version that this program speaks,"
  end
  return text
end

return {
  {
    name = "region", argument = "ID", check = line,
    text = "region, cn-hangzhou; else ALIBABA_CLOUD_REGION_ID, or the profile's",
  },
  {
    name = "endpoint", argument = "HOST", check = line,
    text = "host, host:port or https://host:port, instead of the region's",
  },
  {
    name = "network", argument = "NETWORK", choices = { "public", "vpc" },
    text = "vpc for the region's host inside a VPC",
  },
  {
    name = "profile", argument = "NAME", check = line,
    text = "profile of the credentials, instead of ALIBABA_CLOUD_PROFILE",
  },
  {
    name = "ca-file", argument = "FILE", check = line, is_file = true,
    text = "certificate authorities, PEM",
  },
  {
    name = "timeout", argument = "SECONDS",
    check = number(0.001, 86400, "seconds from 0.001 to 86400"),
    text = "for one attempt of a call, 10 if not given",
  },
  {
    name = "output", argument = "FORMAT", choices = { "json", "table", "text", "lua" },
    text = "json if not given; with --fields table on a terminal, text elsewhere",
  },
  {
    name = "fields", argument = "LIST", check = line,
    text = "only these, in this order: Digest,Status; a.b for a field in a field",
  },
  { name = "all", text = "all pages of a list" },
  {
    name = "concurrency", argument = "N", check = whole(1, 1000),
    text = "calls in flight where a parameter is - (16)",
  },
  { name = "dry-run", text = "explain what would be sent, and send nothing" },
  { name = "verbose", text = "tell of every attempt on standard error" },
  { name = "help", short = "-h", text = "parameters, types and answer of the operation" },
  { name = "version", argument = "DATE", check = api_version, is_hidden = true },
  { name = "force", is_hidden = true },
}
