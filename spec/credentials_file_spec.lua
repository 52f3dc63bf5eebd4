--- Files with keys and who may read or write them: what is read, read with a warning, or refused.

local child = require "spec.support.child"
local cr = require "cr"
local homes = require "spec.support.home"
local recorder = require "spec.support.recorder"

local KEY = { access_key_id = "LTAI-of-the-file", access_key_secret = "not-a-real-one" }

-- What the two kinds of file are, and how a key stands in them.
local KINDS = {
  profile = { name = ".aliyun/config.json", text = '{"profiles":[{"name":"default",' ..
    '"access_key_id":"LTAI-of-the-file","access_key_secret":"not-a-real-one"}]}' },
  ini_profile = { name = ".alibabacloud/credentials", text = "[default]\ntype = access_key\n" ..
    "access_key_id = LTAI-of-the-file\naccess_key_secret = not-a-real-one\n" },
}

local home

before_each(function()
  home = homes.new()
  home:enter()
end)

after_each(function()
  home:remove()
end)

for kind, of in pairs(KINDS) do
  --- A client of this kind; the warnings of each attempt go to the returned list.
  local function start(answers)
    local seen = {}
    local client, transport = recorder.client(answers, {
      credentials = { type = kind },
      on_attempt = function(event) seen[#seen + 1] = event.warnings or "none" end,
    })
    return client, seen, transport
  end

  --- The error of a call, without the path in front.
  local function refusal()
    local client, seen, transport = start()
    local answer, err = client:get_instance_count()
    assert.is_nil(answer)
    assert.equal("credentials", err.kind)
    assert.same({}, transport.requests)
    assert.same({ "none" }, seen)
    local prefix = home.folder .. "/" .. of.name
    assert.equal(prefix, err.message:sub(1, #prefix), err.message)
    return err.message:sub(#prefix + 1)
  end

  describe("a file of type " .. kind, function()
    it("that only its owner can read has no warning", function()
      for _, mode in ipairs { "600", "400", "700" } do
        home:write(of.name, of.text, mode)
        local client, seen, transport = start()
        assert(client:get_instance_count())
        assert.same({ "none" }, seen)
        assert.matches("Credential=" .. KEY.access_key_id .. ",",
          transport.requests[1].headers.authorization, 1, true)
        assert.same({}, assert(client:credentials()).warnings)
      end
    end)

    it("that others can read has one, at each reading", function()
      for _, mode in ipairs { "640", "644", "604", "440" } do
        local path = home:write(of.name, of.text, mode)
        local warning = ("%s can be read by others (mode 0%s): chmod 600 it"):format(path, mode)
        local client, seen, transport = start()
        for _ = 1, 3 do
          assert(client:get_instance_count())
        end
        assert.same({ { warning }, "none", "none" }, seen)
        assert.same({ warning }, assert(client:credentials()).warnings)
        transport.clock = transport.clock + 301
        for _ = 1, 2 do
          assert(client:get_instance_count())
        end
        assert.same({ { warning }, "none", "none", { warning }, "none" }, seen)
        home:write(of.name, of.text)
        transport.clock = transport.clock + 301
        assert(client:get_instance_count())
        assert.equal("none", seen[6])
        assert.same({}, assert(client:credentials()).warnings)
      end
    end)

    it("warns at the attempt that read it", function()
      local path = home:write(of.name, of.text, "644")
      local client, seen = start { recorder.response(503, '{"Code":"ServiceUnavailable"}'),
        recorder.SUCCESS }
      assert(client:list_instance())
      assert.same({ { path .. " can be read by others (mode 0644): chmod 600 it" }, "none" }, seen)
    end)

    it("warns in client:credentials() too when that reads it", function()
      local path = home:write(of.name, of.text, "644")
      local client, seen = start()
      for _ = 1, 2 do
        assert.same({ path .. " can be read by others (mode 0644): chmod 600 it" },
          assert(client:credentials()).warnings)
      end
      assert(client:get_instance_count())
      assert.same({ "none" }, seen)
    end)

    it("that others can write is refused with what to do", function()
      for _, mode in ipairs { "620", "602", "666", "622", "777" } do
        home:write(of.name, of.text, mode)
        assert.equal((" can be written by others (mode 0%s, owner %s): chmod 600 it"):format(mode,
          (child.shell("id -u"):gsub("%s", ""))), refusal())
      end
    end)

    it("must be a file", function()
      local path = home.folder .. "/" .. of.name
      assert.equal(": No such file or directory", refusal())
      child.shell("mkdir -p " .. path)
      assert.equal(": is a directory", refusal())
      child.shell(("rmdir %s && mkfifo -m 600 %s"):format(path, path))
      assert.equal(": is no regular file", refusal())
      child.shell(("rm %s && ln -s nowhere %s"):format(path, path))
      assert.equal(": No such file or directory", refusal())
      child.shell("rm " .. path)
      home:write("elsewhere", of.text)
      child.shell(("ln -s %s/elsewhere %s"):format(home.folder, path))
      assert((start()):get_instance_count())
      home:write("elsewhere", of.text, "666")
      assert.matches("^ can be written by others %(mode 0666, ", refusal())
    end)

    it("has at most a MiB", function()
      local filler = kind == "profile" and " " or "\n"
      local whole = of.text .. filler:rep(1024 * 1024 - #of.text)
      home:write(of.name, whole)
      assert((start()):get_instance_count())
      home:write(of.name, whole .. filler)
      assert.equal(": has more than 1048576 bytes", refusal())
    end)
  end)
end

describe("a file in the default chain", function()
  it("hands its warning to the hook", function()
    local path = home:write(KINDS.ini_profile.name, KINDS.ini_profile.text, "640")
    local seen = {}
    local transport = recorder.new()
    local client = cr.new {
      region = "cn-hangzhou", transport = transport,
      on_attempt = function(event) seen[#seen + 1] = event.warnings or "none" end,
    }
    assert(client:get_instance_count())
    assert(client:get_instance_count())
    local warning = path .. " can be read by others (mode 0640): chmod 600 it"
    assert.same({ { warning }, "none" }, seen)
    assert.same({ warning }, assert(client:credentials()).warnings)
  end)

  it("that others can write ends the search", function()
    local path = home:write(KINDS.profile.name, KINDS.profile.text, "666")
    home:write(KINDS.ini_profile.name, KINDS.ini_profile.text)
    local answer, err = recorder.client(nil, { credentials = { type = "default" } })
      :get_instance_count()
    assert.is_nil(answer)
    assert.matches("; profile: " .. path .. " can be written by others (mode 0666, ", err.message,
      1, true)
    assert.matches("; ini_profile: not asked, because profile is configured; ", err.message, 1,
      true)
  end)
end)
