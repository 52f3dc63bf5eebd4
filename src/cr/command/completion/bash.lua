--- The script for bash. It needs nothing of the bash-completion package.

local completion = require "cr.command.completion"

local SCRIPT = [=[
# bash completion for cr, written by: cr completion bash

_cr_parameters() {
  case $1 in
{{parameters}}
  esac
}

_cr_fields() {
  case $1 in
{{fields}}
  esac
}

# The values of an option, as words; nothing for one whose values are not known.
_cr_values() {
  case $1 in
{{choices}}
    {{switches}}) echo "true false" ;;
  esac
}

_cr_names() {
  case $1 in
    [A-Z]*) echo "{{apiNames}}" ;;
    *) echo "{{kebabNames}} $2" ;;
  esac
}

_cr() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} name= i list=
  # With = among the characters that break words, --output=x comes as three of them.
  if [[ $current == = ]]; then
    current=
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      {{valued}})
        [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
        ((i++)) ;;
      -*|=|explain) ;;
      *) name=${COMP_WORDS[i]}; break ;;
    esac
  done
  COMPREPLY=()
  case $before in
    --fields)
      # Behind the last comma another field begins.
      local head=
      [[ $current == *,* ]] && head=${current%,*},
      COMPREPLY=($(compgen -P "$head" -W "$(_cr_fields "$name")" -- "${current##*,}"))
      return ;;
    {{files}}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    {{flags}}) ;;
    --*)
      list=$(_cr_values "$before")
      if [[ $current == @* ]]; then
        COMPREPLY=($(compgen -P @ -f -- "${current#@}"))
        return
      elif [[ -z $list || $current != -* ]]; then
        COMPREPLY=($(compgen -W "$list" -- "$current"))
        return
      fi ;;
  esac
  case $name in
    "") list="$(_cr_names "$current" "{{commandNames}}")"
      [[ $current == -* ]] && list="{{options}}" ;;
    help) list=$(_cr_names "$current" "{{commandNames}}") ;;
    completion) list="bash zsh fish" ;;
    policy) list="$(_cr_names "$current") $(_cr_parameters policy)" ;;
    operations) ;;
    {{optioned}}) list=$(_cr_parameters "$name") ;;
    *) list="$(_cr_parameters "$name") {{options}}" ;;
  esac
  COMPREPLY=($(compgen -W "$list" -- "$current"))
}

complete -F _cr cr
]=]

local function case(pattern, words)
  return ('    %s) echo "%s" ;;'):format(pattern, words)
end

-- @tparam table facts see completion.lua
-- @treturn string
return function(facts)
  return completion.fill(SCRIPT, completion.switches(facts, case))
end
