--- Credentials that a program prints, with real programs; what they print is used against the
-- emulator.

local child = require "spec.support.child"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local support = require "spec.support.credentials"

local TAG, FULL = support.TAG, support.FULL

local KEY = {
  mode = "AK", access_key_id = FULL.access_key_id, access_key_secret = FULL.access_key_secret,
}
local SESSION = {
  mode = "StsToken", access_key_id = "STS.NTEmulatorSession",
  access_key_secret = "EmulatorSecretSession-not-a-real-one",
  sts_token = "EmulatorSecurityToken-not-a-real-one", expiration = "2099-01-01T00:00:00Z",
}
local SECRETS = {
  KEY.access_key_secret, SESSION.access_key_secret, SESSION.sts_token, "argument-of-program",
}

describe("external", function()
  local server, folder, program

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    environment.set {}
    server:reset()
    folder = child.new_folder()
    program = folder .. "/program"
  end)

  after_each(function()
    environment.restore()
    child.remove_folder(folder)
  end)

  --- Writes the program, a shell script that finds its folder in $here.
  local function write_script(script)
    child.write(program, ("#!/bin/sh\nhere=%s\n%s\n"):format(child.quote(folder), script))
    assert(select(2, child.shell("chmod 700 " .. child.quote(program))))
  end

  --- Writes a program that prints a text, and counts its runs.
  local function write_printer(text)
    child.write(folder .. "/output", text)
    write_script 'echo run >> "$here/runs"; cat "$here/output"'
  end

  local function read(name)
    local file = io.open(folder .. "/" .. name, "rb")
    local text = file and file:read "*a"
    if file then
      file:close()
    end
    return text
  end

  local function client(more, settings)
    return support.client(server, support.with({
      type = "external", process_command = program .. " argument-of-program",
    }, more), settings)
  end

  --- Fails for this reason, shows nothing, and works once the program does.
  local function failed(reason, more)
    local caller = client(more)
    local err = support.failed(("process_command %s: %s"):format(program, reason),
      caller:get_repo_tag(TAG))
    assert.equal("GetRepoTag", err.operation)
    support.hides(SECRETS, err)
    assert.same({}, server:log())
    write_printer(support.encode(KEY))
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
  end

  it("signs with the access key that is printed, and asks for it once", function()
    write_printer(support.encode(KEY) .. "\n")
    local caller = client()
    for _ = 1, 3 do
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    end
    assert.equal("run\n", read "runs")
    local who = assert(caller:credentials())
    assert.equal("external", who.provider)
    assert.equal("program " .. program, who.origin)
    assert.equal("****Full", who.access_key_id)
    assert.is_nil(who.expiration)
  end)

  it("signs with the session that is printed, until it ends", function()
    write_printer(support.encode(SESSION))
    local caller = client()
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    assert.equal("2099-01-01T00:00:00Z", assert(caller:credentials()).expiration)
  end)

  it("asks again when the service refuses the session as expired", function()
    write_printer(support.encode(support.with(SESSION, {
      access_key_id = "STS.NTEmulatorExpired",
      access_key_secret = "EmulatorSecretExpired-not-a-real-one",
      sts_token = "EmulatorSecurityTokenExpired-not-a-real-one",
    })))
    local caller = client(nil, { max_attempts = 2 })
    assert(caller:credentials())
    child.write(folder .. "/output", support.encode(SESSION))
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    assert.equal("run\nrun\n", read "runs")
  end)

  it("asks for a key without an end anew after five minutes", function()
    local clock = core.time()
    local inner = require "cr.transport.curl" ()
    write_printer(support.encode(KEY))
    local caller = client(nil, {
      transport = { exchange = inner.exchange, now = function() return clock end },
    })
    for _, seconds in ipairs { 0, 299, 2 } do
      clock = clock + seconds
      assert(caller:credentials())
    end
    assert.equal("run\nrun\n", read "runs")
  end)

  it("takes blanks around the object, and null and nothing for what there is not", function()
    for _, text in ipairs {
      "\n  " .. support.encode(KEY) .. "\n\n",
      support.encode(support.with(KEY, { sts_token = "", expiration = "" })),
      (support.encode(KEY):gsub("}$", ',"sts_token":null,"expiration":null,"mode":null}')),
      support.encode {
        access_key_id = KEY.access_key_id, access_key_secret = KEY.access_key_secret,
      },
    } do
      write_printer(text)
      local tag, err = client():get_repo_tag(TAG)
      assert.equal("1.0", tag and tag.Tag, tostring(err))
    end
  end)

  it("gets its arguments by the rules of a shell's quotes, and nothing else of a shell", function()
    write_script(([[printf '<%%s>\n' "$@" > "$here/arguments"; printf %%s %s]])
      :format(child.quote(support.encode(KEY))))
    local command = child.quote(program) ..
      [[ plain  'single $HOME "quoted"' "double 'q' \" \$x"]] ..
      [[ es\ caped '' "" mid'dle of'"word" $HOME ${HOME} ~ * ? `id` $(id) ; | & > < ! # a=b é]] ..
      "\n\tlast"
    assert.equal("1.0", assert(client({ process_command = command }):get_repo_tag(TAG)).Tag)
    assert.equal(table.concat({
      "plain", 'single $HOME "quoted"', "double 'q' \" $x", "es caped", "", "", "middle ofword",
      "$HOME", "${HOME}", "~", "*", "?", "`id`", "$(id)", ";", "|", "&", ">", "<", "!", "#", "a=b",
      "é", "last",
    }, ">\n<"), read("arguments"):match("^<(.*)>\n$"))
  end)

  it("may stand in a folder with blanks in its name", function()
    folder = folder .. "/two words"
    program = folder .. "/program"
    assert(select(2, child.shell("mkdir " .. child.quote(folder))))
    write_printer(support.encode(KEY))
    local caller = client { process_command = child.quote(program) }
    assert.equal("program " .. program, assert(caller:credentials()).origin)
    folder = folder:match("^(.*)/")
  end)

  for name, command in pairs {
    ["single"] = "program 'never closed", ["double"] = 'program "never closed',
  } do
    it("with a quote that is never closed is refused: " .. name, function()
      local err = support.failed(("process_command: a %s quote is never closed"):format(name),
        client({ process_command = command }):get_repo_tag(TAG))
      support.hides({ "program" }, err)
    end)
  end

  it("that is only blanks is refused", function()
    support.failed("process_command: it is empty",
      client({ process_command = " \n" }):get_repo_tag(TAG))
  end)

  it("with more words than can be handed on is refused", function()
    write_printer(support.encode(KEY))
    assert(client({ process_command = program .. (" a"):rep(255) }):get_repo_tag(TAG))
    support.failed("process_command: it has more than 256 words",
      client({ process_command = program .. (" a"):rep(256) }):get_repo_tag(TAG))
  end)

  it("that is not there is told", function()
    failed "No such file or directory"
  end)

  it("that is no program is told", function()
    child.write(program, "#!/bin/sh\n")
    assert(select(2, child.shell("chmod 600 " .. child.quote(program))))
    failed "Permission denied"
  end)

  it("that ends with another status than 0 is told, whatever it printed", function()
    write_script(("printf %%s %s; exit 3"):format(child.quote(support.encode(KEY))))
    failed "it ended with exit status 3"
  end)

  it("that is killed is told", function()
    write_script("kill -9 $$")
    failed "it was killed by signal 9"
  end)

  --- Whether a process has gone; one that nobody has collected yet counts as gone.
  local function is_gone(id)
    for _ = 1, 500 do
      local file = io.open("/proc/" .. id .. "/stat")
      local state = file and file:read("*a"):match("^.*%) (%u)")
      if file then
        file:close()
      end
      if not state or state == "Z" or state == "X" then
        return true
      end
      core.sleep(0.01)
    end
    return false
  end

  it("that hangs is killed with its children when its time is over", function()
    write_script 'sleep 300 & echo $! > "$here/child"; echo $$ > "$here/id"; wait'
    local ids = {}
    local caller = client { timeout = 2 }
    support.failed(("process_command %s: it did not end within 2 seconds"):format(program),
      caller:get_repo_tag(TAG))
    for index, name in ipairs { "child", "id" } do
      ids[index] = read(name):match("%d+")
      assert.is_true(is_gone(ids[index]), name)
    end
    write_printer(support.encode(KEY))
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
  end)

  it("that ends but leaves its output open is not waited for longer either", function()
    write_script 'sleep 300 & echo $! > "$here/child"'
    support.failed(("process_command %s: it did not end within 2 seconds"):format(program),
      client({ timeout = 2 }):get_repo_tag(TAG))
    assert.is_true(is_gone(read("child"):match("%d+")))
  end)

  it("is not run for longer than the call has time, and well at the next one", function()
    write_script 'echo $$ > "$here/id"; exec sleep 300'
    local caller = client(nil, { deadline = 2 })
    support.failed(("process_command %s: it did not end within …"):format(program),
      caller:get_repo_tag(TAG))
    assert.is_true(is_gone(read("id"):match("%d+")))
    write_printer(support.encode(KEY))
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
  end)

  it("lets a transport that yields go on with other work", function()
    local pauses = 0
    local inner = require "cr.transport.curl" ()
    write_script(('until [ -e "$here/go" ]; do sleep 0.01; done; printf %%s %s')
      :format(child.quote(support.encode(KEY))))
    local caller = client(nil, { transport = {
      exchange = inner.exchange,
      sleep = function(seconds)
        pauses = pauses + 1
        child.write(folder .. "/go", "")
        core.sleep(seconds)
      end,
    } })
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    assert.is_true(pauses > 0)
  end)

  it("that prints too much is told", function()
    write_printer(support.encode(KEY) .. (" "):rep(65536))
    failed "more than 64 KiB of output"
  end)

  it("that prints for ever is told, and ended", function()
    write_script 'echo $$ > "$here/id"; exec yes EmulatorSecretFull-not-a-real-one'
    failed "more than 64 KiB of output"
    assert.is_true(is_gone(read("id"):match("%d+")))
  end)

  it("that is forbidden is not run", function()
    write_printer(support.encode(KEY))
    environment.set { ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS = "True" }
    local caller = client()
    support.failed("process_command is forbidden by ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS",
      caller:get_repo_tag(TAG))
    assert.is_nil(read "runs")
    environment.set { ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS = "false" }
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
  end)

  describe("a bad output:", function()
    local text = support.encode(SESSION)
    for name, output in pairs {
      ["nothing"] = "", ["blanks"] = " \n", ["words"] = "error: EmulatorSecretFull-not-a-real-one",
      ["half of the JSON"] = text:sub(1, -10), ["malformed JSON"] = "{" .. text,
      ["an array"] = "[" .. text .. "]", ["a string"] = '"' .. KEY.access_key_secret .. '"',
      ["two objects"] = text .. "\n" .. text, ["a NUL"] = text .. "\0",
    } do
      it(name, function()
        write_printer(output)
        failed "it printed no JSON object"
      end)
    end

    local function changed(name, value)
      local session = support.with(SESSION)
      session[name] = value
      return session
    end

    local rows = {}
    for _, field in ipairs { "access_key_id", "access_key_secret", "sts_token" } do
      local must = ("in what it printed %s must be a non-empty string, got "):format(field)
      rows["no " .. field] = { changed(field, nil), must .. "nothing" }
      rows[field .. " as a number"] = { changed(field, 12345678), must .. "a number" }
      rows[field .. " as an object"] = { changed(field, { SESSION.sts_token }), must .. "a table" }
      rows[field .. " with a blank"] = { changed(field, SESSION.sts_token .. " x"),
        ("in what it printed %s holds a blank or a control character (a line break copied along?)")
          :format(field) }
    end
    rows["another mode"] = { changed("mode", "RamRoleArn"),
      'in what it printed the mode is neither "AK" nor "StsToken"' }
    rows["a mode as a number"] = { changed("mode", 1),
      'in what it printed the mode is neither "AK" nor "StsToken"' }
    for _, value in ipairs { "soon", "2099-02-30T00:00:00Z", "2099-01-01", 4070908800, {} } do
      rows["expiration " .. tostring(value):gsub("0x%x+", "")] = { changed("expiration", value),
        "in what it printed expiration is not YYYY-MM-DDTHH:MM:SSZ" }
    end
    for name, row in pairs(rows) do
      it(name, function()
        write_printer(support.encode(row[1]))
        failed(row[2])
      end)
    end

    it("a session that has expired", function()
      write_printer(support.encode(changed("expiration", "2020-01-01T00:00:00Z")))
      local caller = client()
      local err = support.failed(("the session from program %s expired at " ..
        "2020-01-01T00:00:00Z, and it is …"):format(program), caller:get_repo_tag(TAG))
      assert.equal("check the clock", err.hint)
      support.hides(SECRETS, err)
      write_printer(text)
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    end)
  end)

  it("needs a command", function()
    assert.error_matches(function() support.client(server, { type = "external" }) end,
      "^cr%.new: credentials of type external: process_command is missing$")
  end)
end)
