--- What is built and shipped: the package's list of files, the version, the exported symbol, and
-- the rules of the source folders.

local cr = require "cr"
local child = require "spec.support.child"
local fixture = require "spec.support.fixture"

local GENERATED = "src/core/operations_data.c"

--- The files under a folder whose names end so, sorted. What is being written by editors or is
-- ignored by git is no part of the project.
local function files(folder, ending)
  local list = {}
  local output = child.shell("find " .. folder .. " -type f | LC_ALL=C sort")
  for path in output:gmatch("[^\n]+") do
    if path:sub(-#ending) == ending then
      list[#list + 1] = path
    end
  end
  assert.is_true(#list > 0)
  return list
end

local function lines_of(path)
  local text = fixture.read(path)
  local list = {}
  for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("([^\n]*)\n") do
    list[#list + 1] = line
  end
  return list, text
end

--- Characters of a line of UTF-8.
local function columns(line)
  local _, continuation = line:gsub("[\128-\191]", "")
  return #line - continuation
end

local function rockspec()
  local environment = {}
  local chunk
  local path = child.shell("ls cr-*.rockspec"):match("^(%S+)\n$")
  if setfenv then
    chunk = assert(loadfile(path))
    setfenv(chunk, environment)
  else
    chunk = assert(loadfile(path, "t", environment))
  end
  chunk()
  return environment, path
end

describe("the rockspec", function()
  local spec, path = rockspec()

  it("lists every Lua module under its name, and no other", function()
    local expected = {}
    for _, file in ipairs(files("src/cr", ".lua")) do
      local name = file:gsub("^src/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      expected[name] = file
    end
    local listed = fixture.copy(spec.build.modules)
    listed["cr.core"] = nil
    assert.same(expected, listed)
  end)

  it("lists every C file, and no other", function()
    local sources = fixture.copy(spec.build.modules["cr.core"].sources)
    table.sort(sources)
    assert.same(files("src", ".c"), sources)
  end)

  it("has the version that its name says", function()
    assert.equal(("cr-%s.rockspec"):format(spec.version), path)
    assert.equal("cr", spec.package)
  end)
end)

describe("the version", function()
  it("is the same in rockspec, changelog and module", function()
    assert.matches("^%d+%.%d+%.%d+$", cr._VERSION)
    assert.equal(cr._VERSION .. "-1", (rockspec()).version)
    assert.equal(cr._VERSION, fixture.read("CHANGELOG.md"):match("\n## ([^%s]+)"))
  end)
end)

describe("the compiled module", function()
  it("exports its entry and nothing else", function()
    local library = assert(package.searchpath and package.searchpath("cr.core", package.cpath) or
      child.shell("ls build/" .. child.LUA .. "/cr/core.so"):match("^(%S+)\n$"))
    local output, ok = child.shell("nm -D --defined-only " .. library)
    assert.is_true(ok, output)
    local symbols = {}
    for symbol in output:gmatch("%x+ %u (%S+)\n") do
      if not symbol:find("^__?[%a]*asan") and not symbol:find("^__odr_asan") then
        symbols[#symbols + 1] = symbol
      end
    end
    assert.same({ "luaopen_cr_core" }, symbols)
  end)
end)

describe("the layers of the source", function()
  local function including(pattern, folders)
    local list = {}
    for _, folder in ipairs(folders) do
      for _, ending in ipairs { ".c", ".h" } do
        for _, path in ipairs(files(folder, ending)) do
          for _, line in ipairs((lines_of(path))) do
            if line:find("^%s*#%s*include%s*[<\"]" .. pattern) then
              list[path] = true
            end
          end
        end
      end
    end
    local paths = {}
    for path in pairs(list) do
      paths[#paths + 1] = path
    end
    table.sort(paths)
    return paths
  end

  it("keep Lua out of the core", function()
    for _, header in ipairs { "lua%.h", "lauxlib%.h", "lualib%.h", "luaconf%.h", "luajit" } do
      assert.same({}, including(header, { "src/core" }))
    end
    assert.is_true(#including("lua%.h", { "src/binding" }) > 0)
    assert.same({}, including("%.%./binding", { "src/core" }))
  end)

  it("keep OpenSSL in one file of the core", function()
    assert.same({ "src/core/crypto.c" }, including("openssl/", { "src" }))
  end)

  it("keep libcurl in the HTTP files of the core", function()
    local paths = including("curl/", { "src" })
    assert.is_true(#paths > 0)
    for _, path in ipairs(paths) do
      assert.matches("^src/core/http[%w_]*%.[ch]$", path)
    end
  end)

  it("hide every declaration of a header", function()
    for _, folder in ipairs { "src/core", "src/binding" } do
      for _, path in ipairs(files(folder, ".h")) do
        local _, text = lines_of(path)
        if text:find("\n[%w_ %*]+%([^;{]*%);") and not path:find("compat%.h$") then
          assert.matches("#pragma GCC visibility push(hidden)", text, 1, true)
        end
      end
    end
  end)

  it("have no line above 100 columns and no file above 600 lines", function()
    for _, ending in ipairs { ".c", ".h", ".lua" } do
      for _, path in ipairs(files("src", ending)) do
        if path ~= GENERATED then
          local list = lines_of(path)
          assert.is_true(#list <= 600, path .. " has " .. #list .. " lines")
          for number, line in ipairs(list) do
            assert.is_true(columns(line) <= 100, ("%s:%d is too long"):format(path, number))
          end
        end
      end
    end
  end)

  it("have no tab, no blank at the end of a line, and a line break at the end", function()
    for _, ending in ipairs { ".c", ".h", ".lua" } do
      for _, path in ipairs(files("src", ending)) do
        local list, text = lines_of(path)
        assert.equal("\n", text:sub(-1), path)
        for number, line in ipairs(list) do
          assert.is_nil(line:find("%s$"), ("%s:%d ends in a blank"):format(path, number))
          assert.is_nil(line:find("\t", 1, true), ("%s:%d has a tab"):format(path, number))
        end
      end
    end
  end)

  it("explain each Lua module in its first line", function()
    for _, path in ipairs(files("src", ".lua")) do
      assert.truthy(fixture.read(path):find('^%-%-%- [%u"`]'), path)
    end
  end)
end)

describe("every fuzz target", function()
  local readme = fixture.read("fuzz/README.md")

  for _, path in ipairs(files("fuzz", ".c")) do
    local name = path:match("^fuzz/([%w_]+)%.c$")
    local is_program = name == "threads" or name:find("^oom_") -- make torture, make tsan
    if name ~= "support" and not is_program then
      it(name .. " has seeds and says what it holds", function()
        assert.not_equal("", child.shell("find fuzz/corpus/" .. name .. " -type f"))
        assert.truthy(readme:find("\n| `" .. name .. "` |", 1, true))
      end)
    end
  end
end)
