--- The script for zsh: sourced, or as _cr in a folder of $fpath.

local completion = require "cr.command.completion"

local SCRIPT = [=[
#compdef cr
# zsh completion for cr, written by: cr completion zsh

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

# The values of an option; nothing for one whose values are not known.
_cr_values() {
  case $1 in
{{choices}}
    {{switches}}) reply=(true false) ;;
  esac
}

_cr_names() {
  case $1 in
    [A-Z]*) reply=({{apiNames}}) ;;
    *) reply=({{kebabNames}} ${=2}) ;;
  esac
}

_cr() {
  local current=${words[CURRENT]} before=${words[CURRENT-1]} name= i
  local -a reply
  for ((i = 2; i < CURRENT; i++)); do
    case ${words[i]} in
      {{valued}}) ((i++)) ;;
      -*|explain) ;;
      *) name=${words[i]}; break ;;
    esac
  done
  if [[ $current == --*=* ]]; then
    before=${current%%=*}
    compset -P 1 '*='
    current=${current#*=}
  fi
  case $before in
    --fields)
      compset -P '*,'
      _cr_fields "$name"
      compadd -S '' -- $reply
      return ;;
    {{files}}) _files; return ;;
    {{flags}}) ;;
    --*)
      if [[ $current == @* ]]; then
        compset -P 1 @
        _files
        return
      fi
      _cr_values "$before"
      if (( ! $#reply )) || [[ $current != -* ]]; then
        compadd -- $reply
        return
      fi ;;
  esac
  reply=()
  case $name in
    "") if [[ $current == -* ]]; then
        reply=({{options}})
      else
        _cr_names "$current" "{{commandNames}}"
      fi ;;
    help) _cr_names "$current" "{{commandNames}}" ;;
    completion) reply=(bash zsh fish) ;;
    policy) if [[ $current == -* ]]; then _cr_parameters policy; else _cr_names "$current"; fi ;;
    operations) ;;
    {{optioned}}) _cr_parameters "$name" ;;
    *) _cr_parameters "$name"
      reply+=({{options}}) ;;
  esac
  compadd -- $reply
}

if [[ $funcstack[1] == _cr ]]; then
  _cr "$@"
else
  compdef _cr cr
fi
]=]

local function case(pattern, words)
  return ("    %s) reply=(%s) ;;"):format(pattern, words)
end

-- @tparam table facts see completion.lua
-- @treturn string
return function(facts)
  return completion.fill(SCRIPT, completion.switches(facts, case))
end
