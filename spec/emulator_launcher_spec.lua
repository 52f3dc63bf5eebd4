--- Starting and stopping: options, fixtures, and that nothing is left behind.

local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local raw = require "spec.support.raw_client"
local socket = require "socket"

--- Runs `cr emulator` to its end.
-- @return exit status, standard output, standard error
local function launch(arguments, environment)
  local errors = os.tmpname()
  local pipe = assert(io.popen(("%s %s 2>%s; echo \"=$?\""):format(environment or "",
    emulator.command(arguments), errors), "r"))
  local output = pipe:read("*a")
  pipe:close()
  local file = assert(io.open(errors, "r"))
  local complaint = file:read("*a")
  file:close()
  os.remove(errors)
  local text, status = output:match("^(.*)=(%d+)\n$")
  return tonumber(status), text, complaint
end

local function exists(path)
  local file = io.open(path, "r")
  return file ~= nil and file:close() ~= nil
end

describe("cr emulator", function()
  it("explains itself", function()
    local status, output, complaint = launch("--help")
    assert.are.equal(0, status)
    assert.is_truthy(output:find("^usage: cr emulator"))
    assert.are.equal("", complaint)
  end)

  it("names a bad option and what to do", function()
    local cases = {
      ["--prot 80"] = "--prot: no such option; cr emulator --help lists them",
      ["--port"] = "--port: a port from 1 to 65535 expected, got ''",
      ["--port 0"] = "--port: a port from 1 to 65535 expected, got '0'",
      ["--tls-port=x"] = "--tls-port: a port from 1 to 65535 expected, got 'x'",
      ["--port 8001 --tls-port 8001"] = "--tls-port: must differ from --port",
      ["--host 1.2.3"] = "--host: an IP address such as 127.0.0.1 or ::1 expected, got '1.2.3'",
      ["--quiet=yes"] = "--quiet=yes: no such option",
      ["extra"] = "extra: no such option",
    }
    for arguments, expected in pairs(cases) do
      local status, output, complaint = launch(arguments)
      assert.are.equal(2, status, arguments)
      assert.are.equal("", output)
      assert.are.equal("cr emulator: " .. expected,
        complaint:sub(1, #"cr emulator: " + #expected))
    end
  end)

  it("names a fixture's mistake and its place", function()
    local cases = {
      ["{"] = "no valid JSON: ",
      ["[1]"] = ": an object expected",
      ['{"users":[]}'] = "users: at least one expected",
      ['{"users":[{"name":"a","access_key_id":"b"}]}'] = "users[1].access_key_secret: missing",
      ['{"users":[{"name":"a","access_key_id":"b","access_key_secret":"c","expiration":"soon"}]}']
        = 'users[1].expiration: a date like 2026-01-31T00:00:00Z expected, got "soon"',
      ['{"instances":{"a":1}}'] = "instances: an array expected",
      ['{"instances":[{"InstanceId":"cri-a","Name":"b"}]}']
        = "instances[1].Name: no such name; known here: CreateTime, InstanceId, ",
      ['{"instances":[{"InstanceId":"cri-a"},{"InstanceId":"cri-a"}]}']
        = "instances[2]: InstanceId cri-a is there twice",
      ['{"instances":[{"InstanceId":"cri-a","namespaces":[{"NamespaceName":"n","repositories":'
        .. '[{"RepoName":"r","tags":[{"Tag":"1"},{"Tag":2}]}]}]}]}']
        = "instances[1].namespaces[1].repositories[1].tags[2].Tag: a string that is not empty",
    }
    for text, expected in pairs(cases) do
      local path = emulator.temporary_file(text)
      local status, output, complaint = launch("--fixture " .. path)
      os.remove(path)
      assert.are.equal(1, status, text)
      assert.are.equal("", output)
      local start = "cr emulator: --fixture " .. path .. ": "
      assert.are.equal(start, complaint:sub(1, #start))
      assert.is_truthy(complaint:find(expected, 1, true), complaint)
    end
    local status, _, complaint = launch("--fixture /nonexistent/fixture.json")
    assert.are.equal(1, status)
    assert.is_truthy(complaint:find("/nonexistent/fixture.json: No such file", 1, true))
  end)

  it("says how to install Lua for an nginx that has none", function()
    local folder = os.tmpname()
    os.remove(folder)
    os.execute(("mkdir %s; printf '#!/bin/sh\\necho --modules-path=/nonexistent\\n' >%s/nginx; " ..
      "chmod +x %s/nginx"):format(folder, folder, folder))
    local status, output, complaint = launch("", ("PATH=%s:$PATH"):format(folder))
    os.execute("rm -r " .. folder)
    assert.are.equal(1, status)
    assert.are.equal("", output)
    assert.are.equal(("cr emulator: %s/nginx has no Lua: /nonexistent/ndk_http_module.so is " ..
      "missing; install it with: apt-get install nginx-light libnginx-mod-http-lua lua-cjson\n")
      :format(folder), complaint)
  end)

  it("keeps what a fixture says", function()
    local server = emulator.start {
      fixture = {
        region = "eu-central-1",
        users = { { name = "me", access_key_id = "id", access_key_secret = "it's a secret" } },
        instances = { { InstanceId = "cri-mine", namespaces = { { NamespaceName = "n",
          repositories = { { RepoName = "r", RepoId = "crr-mine",
            generate = { count = 2, prefix = "v" } } } } } } },
      },
    }
    local body = raw.call(server, "ListRepoTag", { InstanceId = "cri-mine", RepoId = "crr-mine" })
    local region, secret = server.region, server.access_key_secret
    server:stop()
    assert.are.equal("eu-central-1", region)
    assert.are.equal("it's a secret", secret)
    assert.are.equal("v001", body.Images[1].Tag)
    assert.are.equal("2", body.TotalCount)
  end)

  it("accepts the documentation's fixture, and denies what it denies", function()
    local file = assert(io.open("docs/emulator.md", "r"))
    local fixture = cjson.decode(file:read("*a"):match("```json\n(.-)```"))
    file:close()
    local server = emulator.start { fixture = fixture }
    local instance = { InstanceId = "cri-example" }
    local denied = raw.call(server, "GetAuthorizationToken", instance)
    local allowed = raw.call(server, "GetInstance", instance)
    local other = raw.call(server, "ListRepoTag",
      { InstanceId = "cri-example", RepoId = "crr-example" }, fixture.users[2])
    local builder = fixture.users[3]
    local role = { RoleArn = "acs:ram::1000000000000001:role/release", RoleSessionName = "spec" }
    local unnamed = raw.sts(server, "AssumeRole", role, builder)
    role.ExternalId = "example-external-id"
    local assumed = raw.sts(server, "AssumeRole", role, builder)
    local app = { InstanceId = "cri-example", RepoId = "crr-example" }
    local narrow = raw.call(server, "GetRepository", app, builder)
    local wide = raw.call(server, "GetInstance", instance, builder)
    server:stop()
    assert.are.equal("AssumeRolePolicy", unnamed.AccessDeniedDetail.PolicyType)
    assert.is_table(assumed.Credentials)
    assert.are.equal("success", narrow.Code)
    assert.are.equal("NoPermission", wide.Code)
    assert.are.equal("NoPermission", denied.Code)
    assert.are.equal("ExplicitDeny", denied.AccessDeniedDetail.NoPermissionType)
    assert.are.equal("success", allowed.Code)
    assert.are.equal("254", other.TotalCount)
  end)

  it("is quiet when told to", function()
    local port = require("cr.core").free_port()
    local pipe = io.popen(("echo $$; exec " .. emulator.command("--quiet --port %d")):format(port))
    local pid = tonumber(pipe:read("*l"))
    local connection
    local deadline = socket.gettime() + 20
    repeat
      connection = socket.connect("127.0.0.1", port)
    until connection or socket.gettime() > deadline
    os.execute(("kill %d"):format(pid))
    local output = pipe:read("*a")
    pipe:close()
    assert.is_truthy(connection)
    assert.are.equal("", output)
  end)

  it("listens where it is told to", function()
    local core = require "cr.core"
    local port = core.free_port()
    local server = emulator.start { args = ("--port %d"):format(port) }
    local endpoint, health = server.endpoint, server:control("GET", "health")
    server:stop()
    assert.are.equal(("http://127.0.0.1:%d"):format(port), endpoint)
    assert.is_true(health.ok)
  end)

  it("prints its ten lines and nothing else", function()
    local server = emulator.start()
    os.execute(("kill -TERM %d"):format(server.pid))
    local rest = server.output:read("*a")
    server:stop()
    assert.is_nil(server.unexpected)
    assert.are.equal("", rest)
    for _, name in ipairs { "endpoint", "region", "access_key_id", "access_key_secret",
      "https_endpoint", "ca_file", "sts_endpoint", "metadata_endpoint", "credentials_uri", "pid",
    } do
      assert.is_not_nil(server[name], name)
    end
  end)

  it("leaves no folder and no process, whichever signal ends it", function()
    for _, signal in ipairs { "TERM", "INT", "QUIT", "KILL" } do
      local server = emulator.start()
      assert.is_true(exists(server.ca_file))
      -- `stop` returns when the last process that holds standard output is gone.
      server:stop(signal)
      assert.is_false(exists(server.ca_file), signal)
      -- Its port may be another server's by now: specs of other interpreters run beside this one.
      assert.is_false(exists("/proc/" .. server.pid .. "/status"), signal)
    end
  end)

  it("works in a folder with a name that needs quoting", function()
    local folder = os.tmpname()
    os.remove(folder)
    folder = folder .. ' it\'s "a" $dir;'
    os.execute("mkdir " .. emulator.quote(folder))
    local pipe = io.popen("TMPDIR=" .. emulator.quote(folder) .. " " .. emulator.command(), "r")
    local values = {}
    for line in pipe:lines() do
      local name, value = line:match("^export ([%w_]+)=(.*)$")
      values[name] = value
      if name == "CR_EMULATOR_PID" then
        break
      end
    end
    os.execute("kill " .. (values.CR_EMULATOR_PID or ""))
    pipe:read("*a")
    pipe:close()
    local removed = os.execute("rmdir " .. emulator.quote(folder))
    assert.is_truthy(values.CR_EMULATOR_CA_FILE:find("$dir;", 1, true))
    assert.is_true(removed == true or removed == 0, "the folder is not empty")
  end)
end)
