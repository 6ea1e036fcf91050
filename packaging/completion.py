"""Completion for bash, zsh and fish, written from the command line: ``completion.py bash``."""

from __future__ import annotations

import sys

import cli_tree
from cli_tree import NAME, Command, Word

FUNCTION = "_" + NAME.replace("-", "_")


def _key(command: Command) -> str:
    return " ".join(command.path)


def _first_line(text: str) -> str:
    return " ".join(text.split())


# --- bash -----------------------------------------------------------------------------------------

_BASH = """\
# bash completion for {name}; written by packaging/completion.py

{function}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} path= expects= word flags= commands= operand=
    local -i at
    COMPREPLY=()
    # bash takes "--option=value" apart at the "="
    [[ $current == "=" ]] && current=
    for ((at = 1; at < COMP_CWORD; at++)); do
        word=${{COMP_WORDS[at]}}
        [[ $word == "=" ]] && continue
        if [[ -n $expects && $word != -* ]]; then
            expects=
            continue
        fi
        expects=
        case "$path:$word" in
{steps}
        esac
    done
    case $expects in
{values}
    esac
    case $path in
{tables}
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$current")
    elif [[ -n $commands ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current")
    elif [[ $operand == file ]]; then
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}}

complete -F {function} {name}
"""


def bash(root: Command) -> str:
    steps = []
    tables = []
    for command in root.walk():
        path = _key(command)
        for option in command.options:
            if option.value:
                patterns = " | ".join(f'"{path}:{flag}"' for flag in option.flags)
                steps.append(f"        {patterns}) expects={_bash_expects(option)} ;;")
        steps += [
            f'        "{path}:{below.path[-1]}") path="{_key(below)}" ;;'
            for below in command.commands
        ]
        flags = " ".join(flag for option in command.options for flag in option.flags)
        commands = " ".join(below.path[-1] for below in command.commands)
        operand = "file" if any(word.kind == "file" for word in command.operands) else ""
        tables.append(f'    "{path}") flags="{flags}" commands="{commands}" operand={operand} ;;')
    return _BASH.format(
        name=NAME,
        function=FUNCTION,
        steps="\n".join(steps),
        values="\n".join(_bash_values(root)),
        tables="\n".join(tables),
    )


def _bash_expects(option: Word) -> str:
    return "one-of:" + ",".join(option.choices) if option.choices else option.kind


def _bash_values(root: Command) -> list[str]:
    """What is offered for each kind of value; a value that may be left out hides no option."""
    end = "return ;;"
    lines = [
        "    file) compopt -o filenames 2>/dev/null;"
        f' mapfile -t COMPREPLY < <(compgen -f -- "$current"); {end}',
        f'    user) mapfile -t COMPREPLY < <(compgen -u -- "$current"); {end}',
        "    one-of:*) expects=${expects#one-of:};"
        f' mapfile -t COMPREPLY < <(compgen -W "${{expects//,/ }}" -- "$current"); {end}',
    ]
    if any(word.kind == "other" for command in root.walk() for word in command.options):
        lines.append(f"    other) [[ $current == -* ]] || {end}")
    return lines


# --- zsh ------------------------------------------------------------------------------------------

_ZSH = """\
#compdef {name}
# zsh completion for {name}; written by packaging/completion.py

{functions}
{function} "$@"
"""


def zsh(root: Command) -> str:
    functions = "\n".join(_zsh_function(command) for command in root.walk())
    return _ZSH.format(name=NAME, function=FUNCTION, functions=functions)


def _zsh_name(command: Command) -> str:
    return "_".join([FUNCTION, *(word.replace("-", "_") for word in command.path)])


def _zsh_function(command: Command) -> str:
    words = [_zsh_option(option, flag) for option in command.options for flag in option.flags]
    words += [_zsh_operand(word) for word in command.operands]
    if not command.commands:
        specs = " \\\n        ".join(words)
        return f"{_zsh_name(command)}() {{\n    _arguments -s \\\n        {specs}\n}}\n"
    specs = " \\\n        ".join([*words, "'1:command:->command'", "'*::word:->words'"])
    rows = "\n".join(
        f"            {_zsh_quoted(f'{one.path[-1]}:{_colons(one.help)}')}"
        for one in command.commands
    )
    cases = "\n".join(f"        {one.path[-1]}) {_zsh_name(one)} ;;" for one in command.commands)
    return f"""\
{_zsh_name(command)}() {{
    local state line
    local -a commands
    typeset -A opt_args
    _arguments -C -s \\
        {specs}
    case $state in
    command)
        commands=(
{rows}
        )
        _describe command commands
        ;;
    words)
        case $line[1] in
{cases}
        esac
        ;;
    esac
}}
"""


def _zsh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _colons(text: str) -> str:
    return _first_line(text).replace("\\", "\\\\").replace(":", "\\:")


def _zsh_option(option: Word, flag: str) -> str:
    help_text = _colons(option.help).replace("[", "\\[").replace("]", "\\]")
    spec = f"{flag}[{help_text}]"
    if option.value:
        gap = "::" if option.optional else ":"
        spec = spec.replace("[", "=[", 1) if flag.startswith("--") else spec
        spec += f"{gap}{option.value}:{_zsh_action(option)}"
    return _zsh_quoted(spec)


def _zsh_operand(word: Word) -> str:
    place = "*" if word.repeated else ""
    return _zsh_quoted(f"{place}:{word.value}:{_zsh_action(word)}")


def _zsh_action(word: Word) -> str:
    actions = {"choices": f"({' '.join(word.choices)})", "file": "_files", "user": "_users"}
    return actions.get(word.kind, "")


# --- fish -----------------------------------------------------------------------------------------

_FISH_PATH = """\
function {function}_path --description 'which command the line has so far'
    set -l path
    for word in (commandline -opc)[2..-1]
        switch "$path $word"
{cases}
        end
    end
    string join ' ' -- $path
end

function {function}_at --description 'is it this command, with none behind it?'
    test "$({function}_path)" = "$argv[1]"
end
"""


def fish(root: Command) -> str:
    cases = "\n".join(
        f"            case {_fish_quoted(f'{_key(command)} {below.path[-1]}')}\n"
        f"                set path {' '.join(below.path)}"
        for command in root.walk()
        for below in command.commands
    )
    lines = [
        f"# fish completion for {NAME}; written by packaging/completion.py",
        "",
        _FISH_PATH.format(function=FUNCTION, cases=cases),
    ]
    for command in root.walk():
        here = _fish_quoted(f"{FUNCTION}_at {_fish_quoted(_key(command))}")
        start = f"complete -c {NAME} -n {here}"
        if not any(word.kind == "file" for word in command.operands):
            lines.append(f"{start} -f")
        lines += [
            f"{start} -a {below.path[-1]} -d {_fish_quoted(_first_line(below.help))}"
            for below in command.commands
        ]
        lines += [f"{start} {_fish_option(option)}" for option in command.options]
    return "\n".join(lines) + "\n"


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _fish_option(option: Word) -> str:
    words = [
        f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags
    ]
    if option.value and not option.optional:
        wants_file = option.kind == "file"
        words.append("-r -F" if wants_file else "-x")
    if option.kind == "choices":
        words.append(f"-a {_fish_quoted(' '.join(option.choices))}")
    elif option.kind == "user":
        words.append("-a '(__fish_complete_users)'")
    words.append(f"-d {_fish_quoted(_first_line(option.help))}")
    return " ".join(words)


SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}


def main() -> None:
    sys.stdout.write(SHELLS[sys.argv[1]](cli_tree.read()))


if __name__ == "__main__":
    main()
