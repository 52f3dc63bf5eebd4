--- What can be wrong with the answer that should bring a credential, once for all providers.
--
--     bad_answers {
--       server = function() return server end,     -- an emulator
--       operation = "CredentialsURI",              -- the request's name in its log
--       declare = function(more) return { type = … } end,
--       what = "credentials URI at HOST",          -- HOST stands for the emulator's
--       wrap = function(session) return session end,
--       origin = "…",                              -- of a session, for one that has expired
--       messages = { ["HTTP 404"] = "…" },         -- where they differ from those here
--       secrets = { … },                           -- what is sent and must never be shown
--     }
--
-- Each is an error that names the provider's step and host and shows no secret, and the next call
-- on the same client works.

local assert = require "luassert"
local busted = require "busted"
local support = require "spec.support.credentials"

local LARGEST = 64 * 1024 -- bytes that a provider takes
local JSON = "application/json;charset=utf-8"

local HANDED_OUT = { "handed-out-secret", "handed-out-token" }

local NAMES = { "AccessKeyId", "AccessKeySecret", "SecurityToken" }

--- A session with one part changed; `value` nil takes it away.
local function changed(name, value)
  local session = support.session()
  session[name] = value
  return session
end

--- Rows whose answer is a session with something wrong in it.
local function session_rows()
  local rows = {}
  local function add(name, session, message)
    rows[#rows + 1] = { name = name, session = session, message = message }
  end
  for _, name in ipairs(NAMES) do
    local must = ("in the answer %s must be a non-empty string, got "):format(name)
    add("no " .. name, changed(name, nil), must .. "nothing")
    add("an empty " .. name, changed(name, ""), must .. "an empty one")
    add(name .. " as a number", changed(name, 12345678), must .. "a number")
    add(name .. " as an object", changed(name, { a = "handed-out-token" }), must .. "a table")
    add(name .. " with a line break", changed(name, "handed-out-token\n"), ("in the answer %s " ..
      "holds a blank or a control character (a line break copied along?)"):format(name))
  end
  local message = "the answer has no Expiration as YYYY-MM-DDTHH:MM:SSZ"
  add("no Expiration", changed("Expiration", nil), message)
  for _, value in ipairs { 4070908800, "", "soon", "2099-02-30T00:00:00Z", "2099-01-01" } do
    add(("Expiration %q"):format(tostring(value)), changed("Expiration", value), message)
  end
  return rows
end

--- Rows whose answer is no session at all.
local function answer_rows(case)
  local text = support.encode(case.wrap(support.session()))
  local half, oops = text:sub(1, -20), '{"AccessKeySecret": handed-out-secret}'
  local markup = "<html>handed-out-token</html>"
  local function unreadable(code, what, body, status)
    return ("%s (HTTP %d): the answer %s (%s, %d bytes)"):format(code, status or 200, what, JSON,
      #body)
  end
  return {
    { name = "malformed JSON", fault = { body = oops },
      message = unreadable("NotJson", "is no valid JSON", oops) },
    { name = "half of the JSON", fault = { body = half },
      message = unreadable("NotJson", "is no valid JSON", half) },
    { name = "a body that ends early", fault = { truncate = 20 }, message = "TruncatedBody: …",
      is_retryable = true },
    { name = "no body", fault = { body = "" },
      message = unreadable("EmptyBody", "has no body", "") },
    { name = "an array", fault = { body = '["handed-out-token"]' },
      message = unreadable("UnexpectedJson", "is JSON but no object", '["handed-out-token"]') },
    { name = "HTML", fault = { body = markup },
      message = unreadable("NotJson", "is markup and no JSON", markup) },
    { name = "HTML with HTTP 502", fault = { body = markup, status = 502 }, is_retryable = true,
      message = unreadable("NotJson", "is markup and no JSON", markup, 502) },
    { name = "HTTP 404", fault = { status = 404, body = '{"Code":"NotFound","Message":"Gone."}' },
      message = "NotFound (HTTP 404): Gone." },
    { name = "HTTP 500", fault = { status = 500, body = '{"Code":"Oops","Message":"Down."}' },
      message = "Oops (HTTP 500): Down.", is_retryable = true },
    { name = "a redirect", fault = { status = 302, headers = { Location = "/elsewhere" } },
      message = "UnexpectedRedirect (HTTP 302): the answer is a redirect (HTTP 302), which is " ..
        "not followed" },
    { name = "a reset", fault = { reset = "before" }, message = "ConnectionClosed: …",
      is_retryable = true },
    { name = "no HTTP", fault = { garbage = true }, message = "BadHttp: …" },
    { name = "more than 64 KiB", fault = { body = text .. (" "):rep(LARGEST + 1 - #text) },
      message = "ResponseTooLarge: the answer is larger than 65536 bytes" },
  }
end

local function fill(case, text)
  return (text:gsub("HOST", (case.server().endpoint:gsub("^http://", ""))))
end

--- The call fails as the row says, the next one works.
local function check(case, row)
  local server = case.server()
  local client = support.client(server, case.declare(row.declare))
  local fault = support.with({ operation = case.operation }, row.fault or {
    body = support.encode(case.wrap(row.session)),
  })
  server:fault(fault)
  local message = (case.messages or {})[row.name] or case.what .. ": " .. row.message
  local err = support.failed(fill(case, message), client:get_repo_tag(support.TAG))
  assert.equal("GetRepoTag", err.operation)
  assert.equal(row.is_retryable or false, err.retryable)
  assert.equal(1, #support.entries(server, case.operation))
  support.hides(HANDED_OUT, err)
  support.hides(case.secrets or {}, err)
  assert.equal("1.0", assert(client:get_repo_tag(support.TAG)).Tag)
end

local function define_timeout(case)
  busted.it("no answer in time", function()
    check(case, {
      name = "no answer in time", fault = { delay_ms = 5000 }, declare = { timeout = 1 },
      message = "Timeout: …", is_retryable = true,
    })
  end)
end

local function define_expired(case)
  busted.it("a session that has expired", function()
    local server = case.server()
    local client = support.client(server, case.declare())
    server:fault { operation = case.operation,
      body = support.encode(case.wrap(support.session { Expiration = "2020-01-01T00:00:00Z" })) }
    local message = ("the session from %s expired at 2020-01-01T00:00:00Z, and it is …")
      :format(case.origin)
    local err = support.failed(fill(case, message), client:get_repo_tag(support.TAG))
    assert.truthy(err.message:find("by this machine's clock$"), err.message)
    assert.equal("check the clock", err.hint)
    support.hides(HANDED_OUT, err)
    assert.equal("1.0", assert(client:get_repo_tag(support.TAG)).Tag)
  end)
end

local function define_repeated(case)
  local faults = { ["HTTP 500"] = { status = 500 }, ["a reset"] = { reset = "before" } }
  for name, fault in pairs(faults) do
    busted.it(name .. " is asked again", function()
      local server = case.server()
      server:fault(support.with({ operation = case.operation }, fault))
      local client = support.client(server, case.declare(), { max_attempts = 2 })
      local tag, _, info = client:get_repo_tag(support.TAG)
      assert.equal("1.0", tag.Tag)
      assert.equal(2, info.attempts)
      local entries = support.entries(server, case.operation)
      assert.equal(2, #entries)
      assert.is_true(entries[1].fault)
      assert.equal(200, entries[2].status)
    end)
  end
end

--- The other side quotes what it was sent.
local function define_quoted(case)
  busted.it("an error that quotes what was sent", function()
    local server = case.server()
    local quote = "You sent " .. table.concat(case.secrets, " and ")
    server:fault { operation = case.operation, status = 403, body = support.encode {
      Code = "NoPermission", Message = quote, RequestId = quote, Recommend = quote,
      AccessDeniedDetail = {
        AuthAction = "sts:AssumeRole", AuthPrincipalDisplayName = quote, [quote] = quote,
      },
    } }
    local client = support.client(server, case.declare())
    local message = (case.messages or {})["quoted"] or case.what .. ": NoPermission (HTTP 403): " ..
      "You sent ***" .. (" and ***"):rep(#case.secrets - 1)
    support.hides(case.secrets,
      support.failed(fill(case, message), client:get_repo_tag(support.TAG)))
  end)
end

return function(case)
  busted.describe("a bad answer:", function()
    for _, rows in ipairs { answer_rows(case), session_rows() } do
      for _, row in ipairs(rows) do
        busted.it(row.name, function()
          check(case, row)
        end)
      end
    end
    define_timeout(case)
    define_expired(case)
    define_repeated(case)
    if case.secrets then
      define_quoted(case)
    end
  end)
end
