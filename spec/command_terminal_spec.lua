--- The command line on a real terminal: tmux holds it, keys are sent, the screen is read.

local child = require "spec.support.child"
local command = require "spec.support.command"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"

local APP, BUILDS = command.APP, command.BUILDS

local has_tmux = select(2, child.shell "command -v tmux")

if not has_tmux then
  describe("the command line on a terminal", function()
    pending "needs tmux"
  end)
  return
end

local server, folder, tmux

setup(function()
  local registry = fixture.copy(require "cr.emulator.fixture")
  registry.instances[1].namespaces[1].repositories[2].generate.count = 3000
  server = emulator.start { fixture = registry }
end)

teardown(function()
  server:stop()
end)

--- A terminal of this spec alone, with a shell whose prompt is the last exit status.
before_each(function()
  server:clear_faults()
  server:clear_log()
  folder = child.new_folder()
  tmux = "tmux -f /dev/null -S " .. folder .. "/socket "
  child.write(folder .. "/rc", ("PS1='[$?]> '\n" ..
    "cr() { %s TERM=$TERM NO_COLOR=$NO_COLOR %s \"$@\"; }\n"):format(
    command.environment(server), command.BIN))
  assert(select(2, child.shell(tmux .. "new-session -d -x 120 -y 40 'bash --noprofile --rcfile " ..
    folder .. "/rc'")))
end)

after_each(function()
  child.shell(tmux .. "kill-server")
  child.remove_folder(folder)
end)

local function screen(styles)
  return (child.shell(tmux .. "capture-pane -p " .. (styles and "-e" or "")))
end

--- Waits until the screen shows this.
local function await(pattern)
  for _ = 1, 400 do
    local text = screen()
    if text:find(pattern) then
      return text
    end
    child.shell "sleep 0.05"
  end
  error("not seen: " .. pattern .. "\n" .. screen(), 2)
end

local function type_line(text)
  await "%[%d+%]>%s*$"
  child.shell(tmux .. "send-keys -l " .. child.quote(text))
  child.shell(tmux .. "send-keys Enter")
end

local function press(key)
  child.shell(tmux .. "send-keys " .. key)
end

--- Makes every call take its time.
local function slow(operation, milliseconds)
  server:fault { operation = operation, delay_ms = milliseconds, count = 0 }
end

describe("on a terminal", function()
  it("JSON has lines, --fields makes a table, and titles stand out", function()
    type_line("cr get-repo-tag --Tag 1.0 " .. APP)
    await '\n{\n  "Code": "success",\n'
    type_line("clear; cr list-repo-tag --fields Tag,Status " .. APP)
    local text = await "Tag     Status\n1.0     NORMAL\n0.9     NORMAL\n0.8     DELETING\n"
    assert.matches("latest  NORMAL\n", text, 1, true)
    assert.matches("\27%[1mTag     Status", screen(true))
  end)

  it("NO_COLOR and TERM=dumb turn colours off", function()
    for _, setting in ipairs { "NO_COLOR=1", "TERM=dumb" } do
      type_line("clear; export " .. setting .. "; cr list-repo-tag --fields Tag,Status " .. APP)
      await "latest  NORMAL"
      assert.is_nil(screen(true):find "\27%[1m")
    end
  end)

  it("a call ends at Ctrl-C, at once and with 130", function()
    slow("GetRepoTag", 60000)
    type_line("cr get-repo-tag --timeout 600 --Tag 1.0 " .. APP .. "; echo over-$?")
    while #server:log() == 0 do -- it is sent
      child.shell "sleep 0.02"
    end
    press "C-c"
    local text = await "%[130%]>%s*$"
    assert.is_nil(text:find("traceback", 1, true))
    assert.is_nil(text:find("interrupted!", 1, true))
  end)

  it("a long list shows a bar, and Ctrl-C takes it away", function()
    slow("ListRepoTag", 200)
    type_line("clear; cr list-repo-tag --all --fields Tag " .. BUILDS .. ">" .. folder .. "/rows")
    await "%[#* *%] +%d+ %%  %d+ of 3000  %d+/s"
    press "C-c"
    local text = await "%[130%]>%s*$"
    assert.is_nil(text:find("of 3000", 1, true))
    local rows = fixture.read(folder .. "/rows")
    assert.equal("\n", rows:sub(-1))
    assert.matches("^build%-001\nbuild%-002\n", rows)
  end)

  it("many calls show how many are done, and Ctrl-C ends them", function()
    slow("GetRepoTag", 300)
    type_line("clear; yes 1.0 | cr get-repo-tag --Tag - --fields Tag " .. APP .. ">" .. folder ..
      "/rows")
    await "%d+ done  %d+/s"
    press "C-c"
    local text = await "%[130%]>%s*$"
    assert.is_nil(text:find(" done ", 1, true))
  end)

  it("says that it reads from the terminal", function()
    type_line("clear; cr get-repo-tag --Tag - --fields Tag,Status " .. APP)
    await "cr get%-repo%-tag: reading Tag from the terminal, one a line; Ctrl%-D ends them"
    child.shell(tmux .. "send-keys 1.0 Enter")
    press "C-d"
    await "Tag  Status\n1.0  NORMAL\n%[0%]>"
  end)
end)
