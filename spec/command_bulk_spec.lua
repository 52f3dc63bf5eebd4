--- Many rows and many calls on the command line: --all, standard input, a reader that leaves.

local child = require "spec.support.child"
local cjson = require "cjson"
local command = require "spec.support.command"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"

local APP, BUILDS = command.APP, command.BUILDS
local TAGS = 20000

local server, run

setup(function()
  local registry = fixture.copy(require "cr.emulator.fixture")
  registry.instances[1].namespaces[1].repositories[2].generate.count = TAGS
  server = emulator.start { fixture = registry }
  run = command.new(server)
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:clear_faults()
  server:clear_log()
end)

local function tag(number)
  return ("build-%03d"):format(number)
end

--- A shell's line with the program as `cr`; what it writes, errors included.
local function shell(line)
  return (child.shell(("cr() { %s %s \"$@\"; }; %s"):format(command.environment(server),
    command.BIN, line)))
end

describe("--all", function()
  it("gives every item of every page, and nothing on the way", function()
    local result = run("list-repo-tag --all --PageSize 100 --fields Tag " .. BUILDS)
    assert.equal("", result.errors)
    assert.equal(0, result.status)
    local number = 0
    for line in result.output:gmatch("([^\n]*)\n") do
      number = number + 1
      assert.equal(tag(number), line)
    end
    assert.equal(TAGS, number)
  end)

  it("streams one array of JSON, and one table of Lua", function()
    local rows = cjson.decode(run("list-repo-tag --all --output json " .. APP).output)
    assert.equal(4, #rows)
    assert.equal("latest", rows[4].Tag)
    local text = run("list-repo-tag --all --output lua --fields Tag,ImageSize " .. APP).output
    local loaded = assert((loadstring or load)(text))()
    assert.same({ Tag = "1.0", ImageSize = 27107966 }, loaded[1])
    assert.equal(4, #loaded)
    local EMPTY = "--InstanceId cri-emulatorempty001"
    assert.equal("[]\n", run("list-namespace --all " .. EMPTY).output)
    assert.equal("return {}\n", run("list-namespace --all --output lua " .. EMPTY).output)
  end)

  it("leaves the array open when a page fails", function()
    server:fault { operation = "ListRepoTag", delay_ms = 1, count = 2 }
    server:fault { operation = "ListRepoTag", code = "NoPermission" }
    local result = run("list-repo-tag --all --PageSize 100 --output json --fields Tag " .. BUILDS)
    assert.equal(1, result.status)
    assert.matches("^cr list%-repo%-tag: ListRepoTag: NoPermission %(HTTP 403%): ", result.errors)
    local _, count = result.output:gsub("\n,?{", "")
    assert.equal(200, count)
    assert.is_false((pcall(cjson.decode, result.output)))
  end)

  it("stops asking when the reader has left", function()
    for _, ignored in ipairs { "", "trap '' PIPE; " } do
      server:clear_log()
      local text = shell(("{ %scr list-repo-tag --all --fields Tag %s; " ..
        "echo \"status $?\" >&2; } | head -n 3"):format(ignored, BUILDS))
      assert.matches("build-001\nbuild-002\nbuild-003\n", text, 1, true)
      assert.matches("status 141\n", text, 1, true)
      assert.is_nil(text:find("stack traceback", 1, true))
      assert.is_true(#server:log() < 10, "asked for " .. #server:log() .. " pages")
    end
  end)
end)

describe("a parameter from standard input", function()
  it("makes a call of each line, in their order", function()
    local lines = {}
    for number = 1, 500 do
      lines[number] = tag(number)
    end
    local text = table.concat(lines, "\n") .. "\n"
    for _, concurrency in ipairs { "1", "64" } do
      local result = run("get-repo-tag --Tag - --fields Tag --concurrency " .. concurrency .. " " ..
        BUILDS, { input = text })
      assert.equal("", result.errors)
      assert.equal(0, result.status)
      assert.equal(text, result.output)
    end
  end)

  it("comes from a list", function()
    local text = shell("cr list-repo-tag --fields Tag " .. APP .. "| cr get-repo-tag " .. APP ..
      "--Tag - --fields Tag,ImageSize")
    assert.equal("1.0\t27107966\n0.9\t26214400\n0.8\t27009380\nlatest\t27107966\n", text)
  end)

  it("may have blank lines, CRLF, and a last line without an end", function()
    local result = run("get-repo-tag --Tag - --fields Tag " .. APP,
      { input = "\n1.0\r\n\r\n   \n0.9\n\n\nlatest" })
    assert.equal("", result.errors)
    assert.equal("1.0\n0.9\nlatest\n", result.output)
    assert.equal(0, result.status)
    assert.equal(3, #server:log())
    assert.equal("[]\n", run("get-repo-tag --Tag - " .. APP, { input = "\n\n" }).output)
  end)

  it("goes on after a line that fails, names it, and ends with 1", function()
    local result = run("get-repo-tag --Tag - " .. APP, { input = "1.0\nnone\nlatest\n" })
    assert.equal(1, result.status)
    assert.matches("^cr get%-repo%-tag: none: GetRepoTag: TAG_NOT_EXIST %(HTTP 200%): [^\n]*\n$",
      result.errors)
    local rows = cjson.decode(result.output)
    assert.equal("1.0", rows[1].Tag)
    assert.equal("latest", rows[2].Tag)
    local numbers = run("list-repo-tag --PageSize - --fields TotalCount " .. APP,
      { input = "10\nten\n20\n" })
    assert.equal("4\n4\n", numbers.output)
    assert.equal("cr list-repo-tag: ten: an integer expected, got 'ten'\n", numbers.errors)
    assert.equal(1, numbers.status)
  end)

  it("ends at once where no line can do better", function()
    local result = run("get-repo-tag --Tag - " .. APP, {
      input = ("1.0\n"):rep(1000), env = { ALIBABA_CLOUD_ACCESS_KEY_ID = false },
    })
    assert.equal(3, result.status)
    local _, count = result.errors:gsub("CredentialsUnavailable", "")
    assert.equal(1, count)
    assert.equal("", result.output)
  end)

  it("refuses a line that is too long, and keeps what came before", function()
    local result = run("get-repo-tag --Tag - --fields Tag " .. APP,
      { input = "1.0\n" .. ("x"):rep(200000) })
    assert.equal("1.0\n", result.output)
    assert.equal("cr get-repo-tag: standard input: line 2 is longer than 65536 bytes\n",
      result.errors)
    assert.equal(1, result.status)
  end)

  it("does not wait for more lines with answers that are there", function()
    -- The producer writes its second line only when it has seen the first answer.
    local folder = child.new_folder()
    finally(function() child.remove_folder(folder) end)
    local text = shell(("{ echo 1.0; until grep -q 1.0 %s/out; do sleep 0.05; done; " ..
      "echo latest; } | " ..
      "cr get-repo-tag --Tag - --fields Tag %s>%s/out; cat %s/out"):format(folder, APP, folder,
      folder))
    assert.equal("1.0\nlatest\n", text)
  end)

  it("explains each line's call with --dry-run", function()
    local result = run("get-repo-tag --dry-run --output json --Tag - " .. APP, { input = "a\nb\n" })
    local tags = {}
    for line in result.output:gmatch("[^\n]+") do
      tags[#tags + 1] = cjson.decode(line).parameters.Tag
    end
    assert.same({ "a", "b" }, tags)
    assert.same({}, server:log())
  end)
end)
