# Completion of pystream-coord for bash. The program itself tells what fits (pystream-coord complete).

_pystream_coord() {
  local cur prev words cword
  _init_completion -n =: || return
  local -a lines
  mapfile -t lines < <("${words[0]}" complete -- "${words[@]:1:cword-1}" "$cur" 2>/dev/null)

  # Readline replaces only what stands behind the last of these characters.
  local prefix=
  if [[ $cur == *[=:]* ]]; then
    prefix=${cur%"${cur##*[=:]}"}
  fi
  local line word
  for line in "${lines[@]:1}"; do
    word=${line%%$'\t'*}
    printf -v word %q "${word#"$prefix"}"
    COMPREPLY+=("${word//\\=/=}")
  done
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then
    compopt -o nospace
  fi

  cur=${cur#"$prefix"}
  case ${lines[0]-} in
    files) _filedir ;;
    folders) _filedir -d ;;
    plans) _filedir json ;;
  esac
}

complete -F _pystream_coord pystream-coord
