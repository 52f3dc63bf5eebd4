--- The script for fish: one function gives the candidates. A `complete` for each parameter of each
-- operation would be two thousand of them at every start of a shell.

local completion = require "cr.command.completion"

local SCRIPT = [=[
# fish completion for cr, written by: cr completion fish

function __cr_parameters
    switch $argv[1]
{{parameters}}
    end
end

function __cr_fields
    switch $argv[1]
{{fields}}
    end
end

# The values of an option; nothing for one whose values are not known.
function __cr_values
    switch $argv[1]
{{choices}}
        case {{switches}}
            printf '%s\n' true false
    end
end

function __cr_names
    if string match -qr '^[A-Z]' -- $argv[1]
        printf '%s\n' {{apiNames}}
    else
        printf '%s\n' {{kebabNames}}
    end
end

function __cr_commands
    printf '%s\t%s\n' {{commands}}
end

# The candidates for what stands behind an option, or a status that says that none is wanted.
function __cr_value_of # OPTION CURRENT HEAD
    set -l candidates
    switch $argv[1]
        case --fields
            set -l list (string match -r '^.*,' -- $argv[2])
            set candidates "$list"(__cr_fields $argv[4])
        case {{files}}
            set candidates (__fish_complete_path $argv[2] | string replace -r '\t.*' '')
        case {{flags}}
            return 1
        case '--*'
            if string match -q '@*' -- $argv[2]
                set candidates @(__fish_complete_path (string sub -s 2 -- $argv[2]) |
                    string replace -r '\t.*' '')
            else
                set candidates (__cr_values $argv[1])
                if set -q candidates[1]; and string match -q -- '-*' $argv[2]
                    return 1
                end
            end
        case '*'
            return 1
    end
    for candidate in $candidates
        echo $argv[3]$candidate
    end
    return 0
end

function __cr_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l name
    set -l skip 0
    for word in $words[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case {{valued}}
                set skip 1
            case '-*' explain
            case '*'
                set name $word
                break
        end
    end
    if string match -q -- '--*=*' $current
        set -l head (string match -r '^[^=]*' -- $current)
        __cr_value_of $head (string replace -r '^[^=]*=' '' -- $current) $head= "$name"
        return
    end
    __cr_value_of $words[-1] "$current" '' "$name"; and return
    switch "$name"
        case ''
            __cr_names "$current"
            __cr_commands
            printf '%s\n' {{options}}
        case help
            __cr_names "$current"
            __cr_commands
        case completion
            printf '%s\n' bash zsh fish
        case policy
            __cr_names "$current"
            __cr_parameters policy
        case operations
        case {{optioned}}
            __cr_parameters $name
        case '*'
            __cr_parameters $name
            printf '%s\n' {{options}}
    end
end

complete -c cr -f -a '(__cr_complete)'
]=]

local function join(list, separator)
  return table.concat(list, separator or " ")
end

local function case(pattern, words)
  return ("        case %s\n            printf '%%s\\n' %s"):format(pattern, words)
end

-- @tparam table facts see completion.lua
-- @treturn string
return function(facts)
  local commands = {}
  for index, command in ipairs(facts.commands) do
    commands[index] = ("%s '%s'"):format(command[1], (command[2]:gsub("[\\']", "\\%0")))
  end
  return completion.fill(SCRIPT, {
    parameters = completion.lines(facts.operations, function(operation)
      return #operation.api_parameters > 0 and
        case(operation.kebab, join(operation.kebab_parameters)) .. "\n" ..
        case(operation.name, join(operation.api_parameters)) or nil
    end) .. "\n" .. completion.lines(facts.commands, function(command)
      return command.options and case(command[1], join(command.options))
    end),
    fields = completion.lines(facts.operations, function(operation)
      return #operation.fields > 0 and
        case(operation.kebab .. " " .. operation.name, join(operation.fields)) or nil
    end),
    choices = completion.lines(facts.choices, function(choice)
      return case(choice[1], join(choice[2]))
    end),
    switches = join(facts.switches),
    valued = join(facts.valued),
    flags = join(facts.flags),
    files = join(facts.files) .. " --fixture",
    optioned = join(completion.optioned(facts)),
    options = join(facts.options),
    apiNames = join(completion.names(facts, "name")),
    kebabNames = join(completion.names(facts, "kebab")),
    commands = join(commands),
  })
end
