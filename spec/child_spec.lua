--- Programs started without a shell: what they get, what comes back, and that nothing stays.

local child = require "spec.support.child"
local core = require "cr.core"
local descriptors = require "spec.support.descriptors"

local LIMIT = 60 -- seconds; for a program that is to end by itself

local folder

before_each(function()
  folder = child.new_folder()
end)

after_each(function()
  child.remove_folder(folder)
end)

--- Runs a program to its end.
local function run(...)
  local process = assert(core.run { ... })
  return process:poll(LIMIT)
end

local function sh(script)
  return run("sh", "-c", script)
end

local function output_of(...)
  local state, output, status = run(...)
  assert.equal("done", state)
  assert.equal(0, status)
  return output
end

--- The first line of a file that somebody is about to write.
local function line_of(path)
  for _ = 1, LIMIT * 100 do
    local file = io.open(path)
    local line = file and file:read "*l"
    if file then
      file:close()
    end
    if line then
      return line
    end
    core.sleep(0.01)
  end
  error("nobody wrote " .. path)
end

--- "Z" for one that waits to be collected, nil for none.
local function state_of(pid)
  local file = io.open("/proc/" .. pid .. "/stat")
  local text = file and file:read "*l"
  if file then
    file:close()
  end
  return text and text:match "^.*%) (%a)"
end

--- Whether a process ends; one that has waits for its parent, which need not be us.
local function ends(pid)
  for _ = 1, LIMIT * 100 do
    local state = state_of(pid)
    if not state or state == "Z" then
      return true
    end
    core.sleep(0.01)
  end
  return false
end

--- Runs Lua code in a host with these options of env(1), with the specs' functions in reach.
local function in_host(options, code, redirections)
  local prelude = ("local core, folder, LIMIT = require 'cr.core', %q, %d\n"):format(folder, LIMIT)
  return child.shell(("env %s %s -e %s %s"):format(options, child.LUA,
    child.quote(prelude .. code), redirections or ""))
end

describe("a program", function()
  it("gets its arguments as they are", function()
    for _, argument in ipairs {
      "$HOME", ";", "*", "a b", "", "'", '"', "\\n", "`id`", "$(id)", "|", "> /tmp/x", "\195\169",
      "\n", "-n", "~",
    } do
      assert.equal("<" .. argument .. ">", output_of("printf", "<%s>", argument))
    end
    assert.equal("1\n2 3\n", output_of("printf", "%s\n", "1", "2 3"))
  end)

  it("may have 256 of them, itself included", function()
    local arguments = { "printf", "%s," }
    for i = 3, 256 do
      arguments[i] = tostring(i)
    end
    local state, output = assert(core.run(arguments)):poll(LIMIT)
    assert.equal("done", state)
    assert.equal(table.concat(arguments, ",", 3) .. ",", output)
    arguments[257] = "257"
    assert.has_error(function() core.run(arguments) end)
  end)

  it("reads an empty standard input", function()
    assert.equal("", output_of "cat")
  end)

  it("shares standard error, environment and folder with the host", function()
    local output = in_host("CR_SPEC='a b'", [[
      local _, output = core.run { "sh", "-c", "echo problem >&2; echo $CR_SPEC; pwd" }:poll(LIMIT)
      print(output)
    ]])
    assert.equal("problem\na b\n" .. child.shell "pwd" .. "\n", output)
  end)

  it("has no other descriptor of the host's", function()
    local file = assert(io.open "/dev/zero") -- Lua opens it without O_CLOEXEC
    assert.truthy(child.shell("ls -l /proc/self/fd"):find("/dev/zero", 1, true),
      "popen would not inherit it either")
    assert.equal("0\n1\n2\n3\n", output_of("ls", "/proc/self/fd")) -- 3 is how ls reads the folder
    file:close()
  end)

  it("has its standard descriptors also when the host has none", function()
    local output = in_host("", [[
      local process, err = core.run { "sh", "-c", "cat; echo out; ls /proc/self/fd" }
      io.stderr:write(err or select(2, process:poll(LIMIT)))
      local missing, reason = core.run { "cr-no-such-program" }
      io.stderr:write(tostring(missing), " ", reason)
    ]], "<&- >&-")
    assert.equal("out\n0\n1\n2\n3\nnil cr-no-such-program: No such file or directory", output)
  end)

  it("has default signals, none of them blocked", function()
    local output = in_host("--ignore-signal=PIPE,USR2 --block-signal=USR1,TERM", [[
      local _, output = core.run { "cat", "/proc/self/status" }:poll(LIMIT)
      print(output)
      print(select(4, core.run { "sh", "-c", "kill -PIPE $$" }:poll(LIMIT)))
      print(select(4, core.run { "sh", "-c", "kill -TERM $$" }:poll(LIMIT)))
      for line in io.lines "/proc/self/status" do
        if line:find "^SigBlk" then
          print(line)
        end
      end
    ]])
    assert.matches("SigBlk:\t0000000000000000\n", output, 1, true)
    -- 32 and 33 are the C library's own: popen ignores them, and nobody may reset them
    assert.matches("SigIgn:\t0000000[01][08]0000000\n", output)
    assert.matches("killed by signal 13\nkilled by signal 15\n", output, 1, true)
    assert.matches("SigBlk:\t0000000000004200\n", output, 1, true) -- the host's is what it was
  end)

  it("leads a process group of its own", function()
    local pid, group = output_of("sh", "-c", "cut -d ' ' -f 1,5 /proc/$$/stat")
      :match "^(%d+) (%d+)\n$"
    assert.equal(pid, group)
  end)

  it("is found on PATH, or by its path when that has a slash", function()
    local path = folder .. "/cr-spec-program"
    child.write(path, "#!/bin/sh\necho \"$0 $1\"\n")
    child.shell("chmod +x " .. path)
    assert.equal(path .. " a b\n", output_of(path, "a b"))
    local code = [[
      local process, err = core.run { "cr-spec-program", "x" }
      io.write(err or select(2, process:poll(LIMIT)))
    ]]
    assert.equal("cr-spec-program: No such file or directory", (in_host("", code)))
    assert.equal(path .. " x\n", (in_host("PATH=/nowhere:" .. folder .. ":\"$PATH\"", code)))
  end)
end)

describe("core.run", function()
  it("returns nil and why a program cannot be executed", function()
    local plain = folder .. "/plain"
    child.write(plain, "#!/bin/sh\n")
    for program, reason in pairs {
      ["cr-no-such-program"] = "No such file or directory", [""] = "No such file or directory",
      [folder .. "/none"] = "No such file or directory", [plain] = "Permission denied",
      [plain .. "/below"] = "Not a directory", [folder] = "Permission denied",
    } do
      local process, err = core.run { program, "secret" }
      assert.is_nil(process)
      assert.equal(program .. ": " .. reason, err)
    end
  end)

  -- In a process of their own, because valgrind ends with an exec that only the kernel refuses.
  it("returns nil also when only the kernel can tell", function()
    local broken = folder .. "/broken"
    child.write(broken, "#!/cr/no/such/interpreter\n")
    child.shell("chmod +x " .. broken)
    local output = in_host("", [[
      print(core.run { folder .. "/broken" })
      print(core.run { "true", ("x"):rep(1024 * 1024) })
    ]])
    assert.equal("nil\t" .. broken .. ": No such file or directory\n" ..
      "nil\ttrue: Argument list too long\n", output)
  end)

  it("raises for what is no array of strings", function()
    for _, wrong in ipairs {
      {}, "true", 1, { 1 }, { "true", 2 }, { "true", "a\0b" }, { "tr\0ue" }, { "true", {} },
      { false },
    } do
      assert.has_error(function() core.run(wrong) end)
    end
    assert.has_error(function() core.run() end)
  end)

  it("leaves the caller's table as it is, and runs no metamethod", function()
    local arguments = setmetatable({ "echo", "a" }, { __index = function() error "asked" end })
    local _, output = assert(core.run(arguments)):poll(LIMIT)
    assert.equal("a\n", output)
    assert.equal(2, #arguments)
  end)
end)

describe("process:poll", function()
  it("returns output and exit status", function()
    for _, status in ipairs { 0, 1, 7, 127, 255 } do
      local state, output, got, more = sh("echo out; exit " .. status)
      assert.equal("done", state)
      assert.equal("out\n", output)
      assert.equal(status, got)
      assert.is_nil(more)
      if math.type then
        assert.equal("integer", math.type(got))
      end
    end
  end)

  it("returns every byte of the output", function()
    assert.equal("a\0b\255\n", output_of("printf", "a\\000b\\377\\n"))
    assert.equal("", output_of "true")
  end)

  it("names the signal that killed the program", function()
    for _, signal in ipairs { 9, 14, 15 } do
      local state, output, status, text = sh(("echo out; kill -%d $$"):format(signal))
      assert.equal("done", state)
      assert.equal("out\n", output)
      assert.is_nil(status)
      assert.equal("killed by signal " .. signal, text)
    end
  end)

  it("does not wait with 0 seconds", function()
    local process = assert(core.run { "sleep", "1000" })
    for _ = 1, 100 do
      assert.same({ "running" }, { process:poll(0) })
    end
    assert.same({ "running" }, { process:poll(0.01) })
    process:kill()
  end)

  it("gets the whole output in many polls", function()
    local process = assert(core.run { "sh", "-c",
      "for i in 1 2 3; do echo $i; while [ ! -e " .. folder .. "/$i ]; do sleep 0.01; done; done" })
    for i = 1, 3 do
      assert.equal("running", process:poll(0.01))
      child.write(folder .. "/" .. i, "")
    end
    local state, output, status = process:poll(LIMIT)
    assert.same({ "done", "1\n2\n3\n", 0 }, { state, output, status })
  end)

  it("takes 64 KiB of output, and kills a program with more", function()
    assert.equal(("\0"):rep(65536), output_of("head", "-c", "65536", "/dev/zero"))
    assert.same({ "failed", "more than 64 KiB of output" },
      { run("head", "-c", "65537", "/dev/zero") })
    local process = assert(core.run { "sh", "-c",
      ("sleep 1000 & echo $! $$ > %s/pids; exec yes"):format(folder) })
    local background, program = line_of(folder .. "/pids"):match "(%d+) (%d+)"
    assert.same({ "failed", "more than 64 KiB of output" }, { process:poll(LIMIT) })
    assert.is_nil(state_of(program))
    assert.is_true(ends(background))
    process:kill()
  end)

  it("waits for a program that has closed its output", function()
    local state, output, status = sh("echo out; exec >&-; sleep 0.1; exit 3")
    assert.same({ "done", "out\n", 3 }, { state, output, status })
    local process = assert(core.run { "sh", "-c",
      ("exec >&-; echo $$ > %s/pid; exec sleep 1000"):format(folder) })
    local pid = line_of(folder .. "/pid")
    assert.equal("running", process:poll(0))
    assert.equal("running", process:poll(0.01))
    process:kill()
    assert.is_nil(state_of(pid))
  end)

  it("waits for a child of the program that has its output, and kills that one, too", function()
    local process = assert(core.run { "sh", "-c",
      ("sleep 1000 & echo $! $$ > %s/pids"):format(folder) })
    local background, program = line_of(folder .. "/pids"):match "(%d+) (%d+)"
    assert.is_true(ends(program))
    assert.equal("running", process:poll(0.01))
    process:kill()
    assert.is_nil(state_of(program))
    assert.is_true(ends(background))
  end)

  it("leaves alone what a program that ended by itself left behind", function()
    local output = output_of("sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!")
    local pid = output:match "%d+"
    assert.equal("S", (state_of(pid):gsub("R", "S")))
    child.shell("kill " .. pid)
    assert.is_true(ends(pid))
  end)

  it("says so when the host's handler has collected the exit status", function()
    local output = in_host("--ignore-signal=CHLD", [[
      print(core.run { "sh", "-c", "printf out; exit 7" }:poll(LIMIT))
      print(core.run { "cr-no-such-program" })
      local process = core.run { "sh", "-c", "exec >&-; exec sleep 1000" }
      print(process:poll(0.01))
      process:kill()
    ]])
    assert.equal("done\tout\tnil\tunknown\n" ..
      "nil\tcr-no-such-program: No such file or directory\nrunning\n", output)
  end)

  it("raises once the process is closed, and for what is no duration", function()
    local process = assert(core.run { "true" })
    for _, wrong in ipairs { -1, 0 / 0, 86401, {} } do
      assert.has_error(function() process:poll(wrong) end)
    end
    assert.has_error(function() process:poll() end)
    assert.equal("done", process:poll(LIMIT))
    assert.has_error(function() process:poll(0) end)
    local other = assert(core.run { "true" })
    other:kill()
    assert.has_error(function() other:poll(0) end)
    assert.has_error(function() other.poll({}, 0) end)
  end)
end)

describe("process:kill", function()
  it("kills the program and its children", function()
    local process = assert(core.run { "sh", "-c",
      ("trap '' TERM HUP; sleep 1000 & echo $! $$ > %s/pids; sleep 1000"):format(folder) })
    local background, program = line_of(folder .. "/pids"):match "(%d+) (%d+)"
    process:kill()
    assert.is_nil(state_of(program)) -- no zombie either
    assert.is_true(ends(background))
  end)

  it("kills the children also when the host has collected the program", function()
    local output = in_host("--ignore-signal=CHLD", [[
      local process = core.run { "sh", "-c", "sleep 1000 & echo $! $$ > " .. folder .. "/pids" }
      local pids
      repeat
        local file = io.open(folder .. "/pids")
        pids = file and file:read "*l"
      until pids
      local background, program = pids:match "(%d+) (%d+)"
      repeat until not io.open("/proc/" .. program .. "/stat")
      print(process:poll(0))
      process:kill()
      print(background)
    ]])
    local pid = output:match "^running\n(%d+)\n$"
    assert.is_true(ends(pid))
  end)

  it("may be called any number of times, at any time", function()
    local process = assert(core.run { "sleep", "1000" })
    for _ = 1, 3 do
      process:kill()
    end
    process = assert(core.run { "true" })
    assert.equal("done", process:poll(LIMIT))
    process:kill()
    process:kill()
  end)

  it("is done for a process that is collected", function()
    local function forget()
      assert(core.run { "sh", "-c", ("echo $$ > %s/pid; exec sleep 1000"):format(folder) })
      return line_of(folder .. "/pid")
    end
    local pid = forget()
    collectgarbage()
    collectgarbage()
    assert.is_nil(state_of(pid))
  end)

  it("is done at the end of the Lua state", function()
    in_host("", [[
      PROCESS = core.run { "sh", "-c", "echo $$ > " .. folder .. "/pid; exec sleep 1000" }
      repeat
        local file = io.open(folder .. "/pid")
      until file and file:read "*l"
    ]])
    assert.is_true(ends(line_of(folder .. "/pid")))
  end)

  if _VERSION == "Lua 5.4" then
    it("is done at the end of a to-be-closed variable's scope", function()
      local pid = load([[
        local core, folder, line_of = ...
        local process <close> = core.run { "sh", "-c",
          "echo $$ > " .. folder .. "/pid; exec sleep 1000" }
        return (line_of(folder .. "/pid"))
      ]])(core, folder, line_of)
      assert.is_nil(state_of(pid))
    end)
  end

  if rawget(_G, "jit") then
    it("does nothing in a fork of the host", function()
      local output = in_host("", [[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); void _exit(int); int waitpid(int, int *, int);"
        local process = core.run { "sleep", "1000" }
        local pid = ffi.C.fork()
        if pid == 0 then
          process:kill()
          ffi.C._exit(0)
        end
        ffi.C.waitpid(pid, nil, 0)
        print(process:poll(0.01))
        process:kill()
      ]])
      assert.equal("running\n", output)
    end)
  end
end)

describe("many programs", function()
  it("leave no descriptor and no process", function()
    local files, processes = descriptors.open(), descriptors.children()
    for i = 1, 200 do
      local process = assert(core.run { "echo", tostring(i) })
      if i % 4 == 0 then
        process:kill()
      else
        local _, output = process:poll(LIMIT)
        assert.equal(i .. "\n", output)
      end
      assert.is_nil((core.run { "cr-no-such-program" }))
    end
    -- fewer when garbage of other specs is collected meanwhile
    assert.is_true(descriptors.open() <= files)
    assert.is_true(descriptors.children() <= processes)
  end)

  it("run at a time, each with its own output", function()
    local processes = {}
    for i = 1, 20 do
      processes[i] = assert(core.run { "sh", "-c", "sleep 0.05; echo " .. i })
    end
    for i = 20, 1, -1 do
      local _, output = processes[i]:poll(LIMIT)
      assert.equal(i .. "\n", output)
    end
  end)
end)
