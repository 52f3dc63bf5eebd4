--- What the three shells complete, asked of the shells themselves.

local child = require "spec.support.child"
local command = require "spec.support.command"
local core = require "cr.core"
local fixture = require "spec.support.fixture"

local run = command.new()

local scripts

setup(function()
  scripts = child.new_folder()
  for _, shell in ipairs { "bash", "zsh", "fish" } do
    local result = run("completion " .. shell)
    assert.equal(0, result.status)
    child.write(scripts .. "/" .. shell, result.output)
  end
end)

teardown(function()
  child.remove_folder(scripts)
end)

local function words_of(text)
  local words = {}
  for word in text:gmatch "%S+" do
    words[#words + 1] = word
  end
  table.sort(words)
  return words
end

-- A line up to the cursor, and what can stand there.
local CASES = {
  { "cr get-repo-tag",
    { "get-repo-tag", "get-repo-tag-scan-status", "get-repo-tag-scan-summary" } },
  { "cr GetRepoTag", { "GetRepoTag", "GetRepoTagScanStatus", "GetRepoTagScanSummary" } },
  { "cr poli", { "policy" } },
  { "cr get-repo-tag --i", { "--instance-id" } },
  { "cr GetRepoTag --R", { "--RepoId" } },
  { "cr --region cn-x list-repo-tag --ne", { "--network", "--next-token" } },
  { "cr explain get-repo-tag --r", { "--region", "--repo-id" } },
  { "cr get-repo-tag --output ", { "json", "lua", "table", "text" } },
  { "cr get-repo-tag --network ", { "public", "vpc" } },
  { "cr create-namespace --auto-create-repo ", { "false", "true" } },
  { "cr completion ", { "bash", "fish", "zsh" } },
  { "cr help get-repo-tag-scan-su", { "get-repo-tag-scan-summary" } },
  { "cr policy --re", { "--region", "--resource" } },
  { "cr emulator --f", { "--fixture" } },
  { "cr get-repo-tag --fields Im", { "ImageCreate", "ImageId", "ImageSize", "ImageUpdate" } },
}

describe("the completion for bash", function()
  local function complete(line)
    local words = {}
    for word in (line .. "|"):gmatch "%S+" do
      words[#words + 1] = child.quote((word:gsub("|$", "")))
    end
    return words_of((child.shell(("bash -c %s"):format(child.quote(("source %s/bash; " ..
      "COMP_WORDS=(%s); COMP_CWORD=%d; [[ $(complete -p cr) == 'complete -F _cr cr' ]] && _cr; " ..
      'printf "%%s\\n" "${COMPREPLY[@]}"'):format(scripts, table.concat(words, " "),
      #words - 1))))))
  end

  it("knows operations, parameters and values", function()
    for _, case in ipairs(CASES) do
      assert.same(case[2], complete(case[1]), case[1])
    end
    assert.same({ "table", "text" }, complete "cr get-repo-tag --output = t")
    assert.same({ "Tag,ImageSize" }, complete "cr get-repo-tag --fields Tag,ImageS")
    assert.same({ "@" .. scripts .. "/bash" }, complete("cr get-repo-tag --tag @" .. scripts ..
      "/b"))
  end)

  it("has every operation and every parameter", function()
    local text = fixture.read(scripts .. "/bash")
    for number = 1, core.operation_count do
      local operation = core.operation(number)
      local list = assert(text:match("\n    " .. operation.name .. '%) echo "([^"]*)" ;;'),
        operation.name) .. " "
      for _, parameter in ipairs(operation.parameters) do
        assert.truthy(list:find("--" .. parameter.name .. " ", 1, true), operation.name)
      end
    end
  end)
end)

describe("the completion for fish", function()
  local has_fish = select(2, child.shell "command -v fish")

  it("knows operations, parameters and values", function()
    if not has_fish then
      pending "fish is not installed"
    end
    for _, case in ipairs(CASES) do
      local text = child.shell(("HOME=%s fish --no-config -c %s"):format(scripts, child.quote(
        ("source %s/fish; complete -C %s | string replace -r '\\t.*' ''"):format(scripts,
          child.quote(case[1])))))
      assert.same(case[2], words_of(text), case[1])
    end
  end)
end)

describe("the completion for zsh", function()
  local has_zsh = select(2, child.shell "command -v zsh")

  -- Completion works only in the line editor: a pseudo-terminal has one, and what compadd gathers
  -- is written down.
  local SCRIPT = [=[
zmodload zsh/zpty
zpty z TERM=dumb zsh -f -i
zpty -w z 'autoload -Uz compinit; compinit -D -u; source %s/zsh; stty -echo'
zpty -w z 'compadd() { local -a got; builtin compadd -O got "$@"; builtin compadd "$@"
  print -r -- "$got" >>%s/got }'
zpty -w z 'zle-line-init() { print ready >%s/ready }; zle -N zle-line-init'
until [[ -e %s/ready ]]; do sleep 0.02; done
zpty -n -w z %s$'\t\C-u'
for i in {1..1500}; do [[ -e %s/got ]] && break; sleep 0.02; done
sleep 0.05
zpty -d z
cat %s/got
]=]

  it("knows operations, parameters and values", function()
    if not has_zsh then
      pending "zsh is not installed"
    end
    for _, case in ipairs(CASES) do
      local s = scripts
      child.write(scripts .. "/ask", SCRIPT:format(s, s, s, s, child.quote(case[1]), s, s))
      local text = child.shell(("rm -f %s/got %s/ready; HOME=%s zsh -f %s/ask"):format(s, s, s, s))
      assert.same(case[2], words_of(text), case[1])
    end
  end)
end)

describe("cr completion", function()
  it("wants the name of a shell", function()
    for _, arguments in ipairs { "", "csh", "bash zsh" } do
      local result = run("completion " .. arguments)
      assert.equal(2, result.status)
      assert.equal("cr completion: the name of a shell expected: bash, zsh or fish\n",
        result.errors)
    end
  end)
end)
