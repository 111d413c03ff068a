# Completion of pystream-coord for fish. The program itself tells what fits (pystream-coord complete).

function __pystream_coord_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines ($words[1] complete -- $words[2..-1] "$current" 2>/dev/null)
    switch "$lines[1]"
        case files
            __fish_complete_path "$current"
        case folders
            __fish_complete_directories "$current"
        case plans
            __fish_complete_suffix "$current" .json
    end
    printf '%s\n' $lines[2..-1]
end

complete -c pystream-coord -f -k -a '(__pystream_coord_complete)'
