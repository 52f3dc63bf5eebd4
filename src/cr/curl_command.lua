--- A signed request as a command for curl: what people paste into a shell to see it for themselves.
--
-- It does what the client would do (headers, time limits, trust, proxy) and reads no ~/.curlrc.
-- Every word is quoted for a POSIX shell, whatever bytes it has. Secrets are not in it: in their
-- places are variables, and the shell refuses to start curl while one of them is not set.

local curl_command = {}

--- One word of a shell command. In single quotes, where nothing is special but their end: double
-- quotes would let an interactive shell take an exclamation mark for history.
local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A variable as (a part of) a word; the shell stops when it is empty or not set.
local function variable(name)
  return ('"${%s:?}"'):format(name)
end

local function number(value)
  return (("%.14g"):format(value):gsub(",", ".")) -- a locale may have put a comma
end

--- The words for the proxy. A password in it becomes a variable, which holds it as it stood in the
-- URL.
local function proxy_words(proxy)
  if proxy == nil then
    return nil -- curl looks at the same environment variables as the client
  elseif proxy == "" then
    return "--noproxy '*'"
  end
  local scheme, rest = proxy:match("^(%a[%w+.-]*://)(.*)$")
  scheme, rest = scheme or "", rest or proxy
  local user, host = rest:match("^(.*)(@[^@]*)$")
  local name = user and user:match("^([^:]*:).")
  if not name then
    return "--proxy " .. quote(proxy)
  end
  return "--proxy " .. quote(scheme .. name) .. variable "CR_PROXY_PASSWORD" .. quote(host)
end

local function sorted_names(fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

local function header_words(name, value, secret)
  if secret then
    return "-H " .. quote(name .. ": ") .. variable(secret)
  end
  -- curl drops a header without a value unless it ends in ';'
  return "-H " .. quote(name .. (value == "" and ";" or ": " .. value))
end

--- The URL without the parameters that are secret, and words with which curl adds them again.
local function split_url(url, secrets)
  local words, kept = {}, {}
  local start, query = url:match("^([^?]*)%??(.*)$")
  for pair in query:gmatch("[^&]+") do
    local name = pair:match("^[^=]*")
    if secrets[name] then
      words[#words + 1] = "--data-urlencode " .. quote(name .. "=") .. variable(secrets[name])
    else
      kept[#kept + 1] = pair
    end
  end
  if #words > 0 then
    table.insert(words, 1, "--get")
  end
  return start .. "?" .. table.concat(kept, "&"), words
end

--- @tparam table request method, url, headers, timeout, connect_timeout, ca_file, ca_path, proxy,
--   as a transport gets them
-- @tparam table secrets what is secret: `headers` and `query`, names of variables by name
-- @treturn string one command, on several lines
function curl_command.of(request, secrets)
  local lines = {
    ("curl -q -sS --compressed --connect-timeout %s --max-time %s"):format(
      number(request.connect_timeout), number(request.timeout)),
  }
  local function add(words)
    lines[#lines + 1] = words
  end
  add(request.ca_file and "--cacert " .. quote(request.ca_file) or nil)
  add(request.ca_path and "--capath " .. quote(request.ca_path) or nil)
  add(proxy_words(request.proxy))
  if request.method ~= "GET" then
    -- Not --data "", which would add a content type that is not signed.
    add("-X " .. request.method .. " -H 'content-length: 0'")
  end
  for _, name in ipairs(sorted_names(request.headers)) do
    add(header_words(name, request.headers[name], secrets.headers[name]))
  end
  local url, words = split_url(request.url, secrets.query)
  for _, word in ipairs(words) do
    add(word)
  end
  add(quote(url))
  return table.concat(lines, " \\\n  ")
end

return curl_command
