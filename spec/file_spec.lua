--- Files read by the core: content, permission bits, owner, and what is refused.

local child = require "spec.support.child"
local core = require "cr.core"
local descriptors = require "spec.support.descriptors"

local folder

before_each(function()
  folder = child.new_folder()
end)

after_each(function()
  child.remove_folder(folder)
end)

--- Writes a file in the folder and returns its path.
local function written(text, mode)
  local path = folder .. "/file"
  child.write(path, text)
  if mode then
    child.shell("chmod " .. mode .. " " .. path)
  end
  return path
end

describe("core.read_file", function()
  it("gives every byte", function()
    local bytes = {}
    for i = 0, 255 do
      bytes[i + 1] = string.char(i)
    end
    local all = table.concat(bytes)
    for _, text in ipairs { "", "a", "\0", "a\r\n\0b\n", all, all:rep(1000) } do
      assert.equal(text, (core.read_file(written(text), 1024 * 1024)))
    end
  end)

  it("gives the permission bits and the owner", function()
    for _, mode in ipairs { "600", "640", "644", "400", "4711" } do
      local text, bits, owner = core.read_file(written("x", mode), 10)
      assert.equal("x", text)
      assert.equal(tonumber(mode, 8), bits)
      assert.equal(core.effective_user(), owner)
      if math.type then
        assert.equal("integer", math.type(bits))
        assert.equal("integer", math.type(owner))
      end
      os.remove(folder .. "/file")
    end
  end)

  it("follows a symbolic link to what it points at", function()
    written("x", "640")
    child.shell(("ln -s file %s/link"):format(folder))
    local text, bits = core.read_file(folder .. "/link", 10)
    assert.equal("x", text)
    assert.equal(tonumber("640", 8), bits)
  end)

  it("takes as many bytes as allowed and not one more", function()
    for _, size in ipairs { 0, 1, 4095, 4096, 4097, 100000 } do
      local path = written(("x"):rep(size))
      assert.equal(size, #assert(core.read_file(path, size)))
      if size > 0 then
        local text, reason, kind = core.read_file(path, size - 1)
        assert.is_nil(text)
        assert.equal(("has more than %d bytes"):format(size - 1), reason)
        assert.equal("other", kind)
      end
    end
  end)

  it("does not trust the size of a file that says it has none", function()
    local text = assert(core.read_file("/proc/self/status", 64 * 1024))
    assert.matches("^Name:", text)
    local nothing, reason, kind = core.read_file("/proc/self/status", 10)
    assert.is_nil(nothing)
    assert.equal("has more than 10 bytes", reason)
    assert.equal("other", kind)
  end)

  it("tells what is missing from what cannot be read", function()
    for _, path in ipairs { folder .. "/none", written("x") .. "/below", "", folder .. "/a/b" } do
      local text, reason, kind = core.read_file(path, 10)
      assert.is_nil(text)
      assert.truthy(reason == "No such file or directory" or reason == "Not a directory")
      assert.equal("missing", kind)
    end
    child.shell(("ln -s nowhere %s/link; ln -s loop %s/loop"):format(folder, folder))
    assert.equal("missing", (select(3, core.read_file(folder .. "/link", 10))))
    assert.equal("other", (select(3, core.read_file(folder .. "/loop", 10))))
  end)

  it("refuses what is no regular file, without waiting for it", function()
    child.shell(("mkfifo %s/fifo"):format(folder))
    for path, expected in pairs {
      [folder] = "is a directory", [folder .. "/fifo"] = "is no regular file",
      ["/dev/null"] = "is no regular file", ["/dev/zero"] = "is no regular file",
    } do
      local text, reason, kind = core.read_file(path, 10)
      assert.is_nil(text)
      assert.equal(expected, reason)
      assert.equal("other", kind)
    end
  end)

  it("does not show the path in a reason", function()
    for _, path in ipairs { folder, folder .. "/none", folder .. "/none/below" } do
      assert.is_nil((select(2, core.read_file(path, 10))):find(folder, 1, true))
    end
  end)

  it("keeps no descriptor", function()
    local path = written("x")
    local before = descriptors.open()
    for _ = 1, 200 do
      core.read_file(path, 10)
      core.read_file(path, 0)
      core.read_file(folder, 10)
      core.read_file(folder .. "/none", 10)
    end
    assert.is_true(descriptors.open() <= before) -- fewer when garbage of other specs is collected
  end)

  it("raises for what is no path and no size", function()
    for _, arguments in ipairs {
      { nil, 10 }, { 1, 10 }, { "a\0b", 10 }, { "a" }, { "a", -1 }, { "a", "x" },
      { "a", 16 * 1024 * 1024 + 1 }, { "a", 0 / 0 },
    } do
      assert.has_error(function() core.read_file(arguments[1], arguments[2]) end)
    end
  end)
end)

describe("core.effective_user", function()
  it("is the user that runs this", function()
    assert.equal(tonumber((child.shell "id -u")), core.effective_user())
  end)
end)
