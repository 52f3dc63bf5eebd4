--- `cr <operation>` as a process: names, parameters, options, formats, exit status.

local child = require "spec.support.child"
local cjson = require "cjson"
local command = require "spec.support.command"
local emulator = require "spec.support.emulator"
local homes = require "spec.support.home"

local APP, BUILDS = command.APP, command.BUILDS
local DIGEST = "67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1****"

local server, run

setup(function()
  server = emulator.start()
  run = command.new(server)
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
end)

--- Runs what must succeed.
local function output(arguments, given)
  local result = run(arguments, given)
  assert.equal("", result.errors)
  assert.equal(0, result.status)
  return result.output
end

--- Runs what must fail with this message.
local function fails(status, message, arguments, given)
  local result = run(arguments, given)
  assert.equal("cr" .. message .. "\n", result.errors)
  assert.equal(status, result.status)
  assert.equal("", result.output)
end

describe("an operation", function()
  it("goes by its name in the API and in lower case, parameters too", function()
    for _, arguments in ipairs {
      "GetRepoTag " .. APP .. "--Tag 1.0",
      "get-repo-tag --instance-id 'cri-kmsiwlxxdcva****' --repo-id='crr-tquyps22md8p****' " ..
        "--tag=1.0",
      "get_repo_tag --Tag 1.0 " .. APP,
      "--fields Digest --output json GetRepoTag --Tag 1.0 " .. APP,
      "GetRepoTag --version 2018-12-01 --force --Tag 1.0 " .. APP,
    } do
      assert.equal(DIGEST, cjson.decode(output(arguments)).Digest)
    end
  end)

  it("takes a line of the vendor's command line, region and all", function()
    local log = output("GetRepoTag --region cn-shanghai --dry-run --output json " .. APP ..
      "--Tag 1.0")
    assert.matches("https://cr.cn-shanghai.aliyuncs.com/?", log, 1, true)
    assert.same({}, server:log())
  end)

  it("sends values by their declared type", function()
    output("create-namespace --InstanceId 'cri-kmsiwlxxdcva****' --NamespaceName made " ..
      "--AutoCreateRepo --DefaultRepoType PUBLIC")
    local made = cjson.decode(output("get-namespace --InstanceId 'cri-kmsiwlxxdcva****' " ..
      "--NamespaceName made"))
    assert.is_true(made.AutoCreateRepo)
    local page = cjson.decode(output("list-repo-tag " .. BUILDS .. "--PageSize 7 --PageNo=2"))
    assert.equal(7, #page.Images)
    assert.equal("build-008", page.Images[1].Tag)
  end)

  it("reads a value from a file, without the line break at its end", function()
    local path = emulator.temporary_file("1.0\n")
    finally(function() os.remove(path) end)
    assert.equal(DIGEST .. "\n",
      output("get-repo-tag --fields Digest --Tag @" .. path .. " " .. APP))
    fails(2, " get-repo-tag: --Tag: /nonexistent: No such file or directory (@@ stands for @)" ..
      "; cr help get-repo-tag lists what it takes", "get-repo-tag --Tag @/nonexistent " .. APP)
    local asked = output("get-repo-tag --dry-run --output json --Tag @@x " .. APP)
    assert.equal("@x", cjson.decode(asked).parameters.Tag)
  end)

  it("takes lists and objects as JSON, as repeated options, and as the vendor writes them",
    function()
      for _, arguments in ipairs {
        [[--ResourceId r1 --ResourceId r2 --Tag '{"Key":"k","Value":"v"}']],
        [[--ResourceId '["r1","r2"]' --Tag '[{"Key":"k","Value":"v"}]']],
        [[--ResourceId.1 r1 --ResourceId.2=r2 --Tag.1.Key k --Tag.1.Value v]],
      } do
        local explained = cjson.decode(output("tag-resources --RegionId cn-hangzhou " ..
          "--ResourceType instance --dry-run --output json " .. arguments))
        assert.same({
          RegionId = "cn-hangzhou", ResourceType = "instance", ["ResourceId.1"] = "r1",
          ["ResourceId.2"] = "r2", ["Tag.1.Key"] = "k", ["Tag.1.Value"] = "v",
        }, explained.parameters)
      end
    end)
end)

describe("the formats", function()
  it("are JSON that keeps integers, in the order of the names", function()
    local text = output("get-repo-tag --Tag 1.0 " .. APP)
    assert.matches('^{"Code":"success","Digest":"' .. DIGEST:gsub("%*", "%%*") ..
      '","ImageCreate":1572839125000,"ImageId":"[^"]*","ImageSize":27107966,' ..
      '"ImageUpdate":1572875608000,"IsSuccess":true,"RequestId":"[^"]*","Status":"NORMAL",' ..
      '"Tag":"1.0"}\n$', text)
    local empty = output("list-namespace --InstanceId cri-emulatorempty001")
    assert.matches('"Namespaces":[]', empty, 1, true)
  end)

  it("are Lua that loads", function()
    local text = output("list-repo-tag --output lua " .. APP)
    local answer = assert((loadstring or load)(text))()
    assert.equal(27107966, answer.Images[1].ImageSize)
    assert.equal("1.0", answer.Images[1].Tag)
    assert.matches("ImageSize = 27107966,", text, 1, true)
  end)

  it("are lines with tabs", function()
    assert.equal("1.0\tNORMAL\t27107966\n0.9\tNORMAL\t26214400\n0.8\tDELETING\t27009380\n" ..
      "latest\tNORMAL\t27107966\n", output("list-repo-tag --fields Tag,Status,ImageSize " .. APP))
  end)

  it("are columns, numbers to the right", function()
    assert.equal("Tag     ImageSize  Status\n" ..
      "1.0      27107966  NORMAL\n" ..
      "0.9      26214400  NORMAL\n" ..
      "0.8      27009380  DELETING\n" ..
      "latest   27107966  NORMAL\n",
      output("list-repo-tag --output table --fields Tag,ImageSize,Status " .. APP))
    assert.equal("Tag        1.0\nImageSize  27107966\n",
      output("get-repo-tag --Tag 1.0 --output table --fields Tag,ImageSize " .. APP))
  end)

  it("have the chosen fields, of the items or of the answer", function()
    assert.equal("4\n", output("list-repo-tag --fields TotalCount " .. APP))
    assert.equal('{"TotalCount":"4"}\n',
      output("list-repo-tag --output json --fields TotalCount " .. APP))
    assert.equal('[\n{"Images.Tag":"1.0"}\n,{"Images.Tag":"0.9"}\n,{"Images.Tag":"0.8"}\n' ..
      ',{"Images.Tag":"latest"}\n]\n',
      output("list-repo-tag --output json --fields Images.Tag " .. APP))
    fails(2, " list-repo-tag: --fields: ListRepoTag has no field Digset; did you mean Digest?",
      "list-repo-tag --fields Digset " .. APP)
    fails(2, " list-repo-tag: --fields: some of these are fields of the answer, some of its " ..
      "Images; ask for either", "list-repo-tag --fields Tag,TotalCount " .. APP)
  end)

  it("say when a list has more than is shown", function()
    local result = run("list-repo-tag --fields Tag " .. BUILDS)
    assert.equal("cr list-repo-tag: the first 30 of 250; --all gives all\n", result.errors)
    assert.equal(0, result.status)
  end)
end)

describe("wrong usage", function()
  local SEE = "; cr help get-repo-tag lists what it takes"

  it("is told with what was meant, and nothing is sent", function()
    fails(2, " get-repo-tag: unknown option --Tga; did you mean --Tag?" .. SEE,
      "get-repo-tag --Tga 1.0 " .. APP)
    fails(2, " get-repo-tag: unknown option --ouptut; did you mean --output?" .. SEE,
      "get-repo-tag --ouptut json " .. APP)
    fails(2, " get-repo-tag: missing --RepoId <string> and --Tag <string>" .. SEE,
      "get-repo-tag --InstanceId cri-x")
    fails(2, " get-repo-tag: unexpected argument '1.0'; values are given as --Name value" .. SEE,
      "get-repo-tag 1.0 " .. APP)
    fails(2, " get-repo-tag: option '--Tag' requires an argument" .. SEE,
      "get-repo-tag " .. APP .. "--Tag")
    fails(2, " get-repo-tag: argument for option '--output' must be one of 'json', 'table', " ..
      "'text', 'lua'" .. SEE, "get-repo-tag --output yaml " .. APP)
    fails(2, " get-repo-tag: --timeout: seconds from 0.001 to 86400 expected" .. SEE,
      "get-repo-tag --timeout soon " .. APP)
    fails(2, " get-repo-tag: --RepoId and --Tag cannot both be -: there is one standard input" ..
      SEE, "get-repo-tag --InstanceId x --RepoId - --Tag -")
    fails(2, " get-repo-tag: --all: GetRepoTag has no pages", "get-repo-tag --all --Tag 1 " .. APP)
    fails(2, " list-repo-tag: --PageSize: an integer expected, got '5x'; cr help list-repo-tag " ..
      "lists what it takes", "list-repo-tag --PageSize 5x " .. APP)
    assert.same({}, server:log())
  end)

  it("is a name that there is none of", function()
    fails(2, ": no operation or command 'get-repo-tga'; did you mean get-repo-tag?",
      "get-repo-tga")
    fails(2, ": no operation or command 'GetRepoTga'; did you mean GetRepoTag?", "GetRepoTga")
    fails(2, ": no operation or command 'opertions'; did you mean operations?", "opertions")
    fails(2, ": no operation or command 'frobnicate'; cr operations lists them", "frobnicate")
  end)

  it("is a call to nowhere, unless the profile has a region", function()
    local nowhere = { ALIBABA_CLOUD_ENDPOINT = false }
    fails(2, " get-repo-tag: no region: give --region cn-hangzhou, or --endpoint, or set " ..
      "ALIBABA_CLOUD_REGION_ID", "get-repo-tag --Tag 1.0 " .. APP, { env = nowhere })
    local home = homes.new()
    finally(function() home:remove() end)
    home:config { current = "a", profiles = { homes.with({ name = "a", region_id = "cn-beijing" },
      homes.KEY) } }
    local explained = output("get-repo-tag --dry-run --output json --Tag 1.0 " .. APP,
      { env = nowhere, home = home.folder })
    assert.equal("https://cr.cn-beijing.aliyuncs.com", cjson.decode(explained).endpoint)
  end)
end)

describe("the exit status", function()
  it("is 1 when the service says no", function()
    local result = run("get-repo-tag --Tag none " .. APP)
    assert.equal(1, result.status)
    assert.equal("", result.output)
    assert.matches("^cr get%-repo%-tag: GetRepoTag: TAG_NOT_EXIST %(HTTP 200%): ", result.errors)
  end)

  it("is 3 without credentials, and the message says what to do", function()
    local result = run("get-repo-tag --Tag 1.0 " .. APP,
      { env = { ALIBABA_CLOUD_ACCESS_KEY_ID = false } })
    assert.equal(3, result.status)
    assert.matches("Configure one of these; cr credentials --why tells what each one said.",
      result.errors, 1, true)
  end)

  it("is 4 when the network does not answer", function()
    local result = run("get-repo-tag --Tag 1.0 --endpoint http://127.0.0.1:1 " .. APP)
    assert.equal(4, result.status)
    assert.matches("GetRepoTag: ConnectFailed: ", result.errors, 1, true)
  end)

  it("is 1 when the output cannot be written", function()
    local result = run("get-repo-tag --Tag 1.0 " .. APP, { to = "/dev/full" })
    assert.equal("cr: standard output: No space left on device\n", result.errors)
    assert.equal(1, result.status)
  end)
end)

describe("--verbose", function()
  it("tells of every attempt", function()
    server:fault { operation = "GetRepoTag", status = 503 }
    local result = run("get-repo-tag --verbose --Tag 1.0 " .. APP)
    assert.equal(0, result.status)
    local host = server.endpoint:gsub("%p", "%%%0")
    assert.matches("^cr get%-repo%-tag: " .. host ..
      ", attempt 1: HTTP 503 [^\n]*again in [^\n]*\n" ..
      "cr get%-repo%-tag: " .. host .. ", attempt 2: HTTP 200 in [%d.]+ ms, RequestId [%x-]+\n$",
      result.errors)
  end)
end)

describe("cr explain", function()
  it("shows what would be sent, and that it can be read by programs", function()
    local text = output("explain get-repo-tag --Tag 1.0 " .. APP)
    assert.matches("canonical request", text, 1, true)
    assert.same({}, server:log())
    assert.equal(text:match "(GET) ?", cjson.decode(output("explain get-repo-tag --Tag 1.0 " ..
      "--output json " .. APP)).method)
    fails(2, " explain: no operation 'get-repo-tga'; did you mean get-repo-tag?",
      "explain get-repo-tga")
  end)
end)

describe("cr policy", function()
  it("prints the policy, and names what is not published", function()
    local policy = cjson.decode(output("policy get-repo-tag ListInstance --region cn-hangzhou"))
    assert.equal("1", policy.Version)
    local result = run "policy get-repo-tag delete-scan-rule"
    assert.equal(1, result.status)
    assert.equal("cr policy: the RAM action of these is not published: DeleteScanRule\n",
      result.errors)
    fails(2, " policy: no operation 'get-repo-tga'; did you mean get-repo-tag?",
      "policy get-repo-tga")
    fails(2, " policy: names of operations expected, as in cr policy get-repo-tag", "policy")
  end)
end)

describe("cr operations", function()
  it("lists what there is", function()
    local _, count = output("operations"):gsub("\n", "")
    assert.equal(119, count)
    assert.equal("GetRepoTag\tget-repo-tag\tGET\tcr:ListRepositoryTag\t-\n",
      output("operations getrepotag"):match("^[^\n]*\n"))
    fails(1, " operations: no operation has 'xyzzy' in its name", "operations xyzzy")
  end)
end)

describe("help", function()
  it("is for the program and for every operation", function()
    assert.matches("^usage: cr OPERATION", output "help")
    assert.matches("^usage: cr OPERATION", output "--help")
    local text = output "help GetRepoTag"
    assert.equal(text, output "get-repo-tag --help")
    for _, line in ipairs { "  method      GET\n",
      "  RAM action  cr:ListRepositoryTag on repository/{InstanceId}\n",
      "  --InstanceId, --instance-id  string, required\n", "  ImageCreate  integer\n" } do
      assert.matches(line, text, 1, true)
    end
    assert.matches("  RAM action  not published\n", output "help delete-scan-rule", 1, true)
    local result = run ""
    assert.equal(2, result.status)
    assert.matches("^usage: ", result.errors)
  end)

  it("comes without colours in a pipe", function()
    assert.is_nil(output("help"):find "\27")
  end)
end)

describe("what the service answers", function()
  it("cannot steer the terminal", function()
    server:fault { operation = "GetRepoTag",
      body = '{"IsSuccess":true,"Code":"success","Tag":"a\\u001b[2Jb\\tc","Digest":"\\u009b2J"}' }
    assert.equal("a\\x1B[2Jb\\tc\t\\x9B2J\n",
      output("get-repo-tag --Tag 1.0 --fields Tag,Digest " .. APP))
    server:fault { operation = "GetRepoTag", status = 403, body =
      '{"Code":"NoPermission","Message":"a\\u001b[2J","RequestId":"R"}' }
    local result = run("get-repo-tag --Tag 1.0 " .. APP)
    assert.is_nil(result.errors:find "\27")
  end)
end)

describe("bin/cr", function()
  it("runs from source as what make builds does", function()
    assert.equal("cr 1.0.0\n", output("version", { bin = child.LUA .. " bin/cr" }))
    assert.equal(output "version", output("version", { bin = child.LUA .. " bin/cr" }))
  end)
end)
