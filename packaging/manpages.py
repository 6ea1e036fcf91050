"""The man pages, written from the command line and from the example configuration:
``manpages.py 8|5 VERSION DATE``.  What neither says stands here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cli_tree
from cli_tree import NAME, Command, Word

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "config/config.yaml.example"
CONFIG = "/etc/user-session-monitor/config.yaml"

_CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_KEY = re.compile(r"(?P<indent> *)(?P<key>[a-z_0-9]+):(?: +(?P<value>.*))?")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Made:
    """What a page says about itself."""

    version: str
    date: str
    """As in 2026-11-21."""


def roff(text: str) -> str:
    """Text as roff shows it: nothing in it is a request, dashes can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = "".join(sign if ord(sign) < 128 else f"\\[u{ord(sign):04X}]" for sign in text)
    return "\\&" + text if text.startswith((".", "'")) else text


def prose(text: str) -> str:
    """A paragraph: ``code`` is bold."""
    return _CODE.sub(lambda code: f"\\fB{code[1]}\\fP", roff(text))


def verbatim(lines: Iterable[str], indent: int = 4) -> str:
    return "\n".join([f".RS {indent}", ".nf", *map(roff, lines), ".fi", ".RE"])


def head(section: int, name: str, about: str, made: Made) -> str:
    return (
        f'.TH {name.upper()} {section} "{made.date}" "{NAME} {roff(made.version)}"\n'
        f".SH NAME\n{roff(name)} \\- {roff(about)}"
    )


# --- user-session-monitor(8) ----------------------------------------------------------------------

_FILES = {
    CONFIG: f"The configuration, see `{NAME}.yaml`(5). It may hold secrets: mode 0640, readable by "
    f"root and the group `{NAME}`. Where it is missing, `config/config.yaml` of the current folder "
    "is used, else the defaults.",
    "/etc/user-session-monitor/rules.d/*.yaml": "Rules of your own, in the place of or beside the "
    "built-in ones.",
    "/var/lib/user-session-monitor/state.db": "The state: the place in the log, sessions, what "
    "waits for delivery. An SQLite file that belongs to the service alone.",
    f"{NAME}.service": "The systemd unit. `systemctl reload` takes up a changed configuration.",
}
_STATUS = {
    "0": "done",
    "1": "it ran and found trouble",
    "2": "wrong use or wrong configuration, each with one line on standard error",
}
_SIGNALS = {
    "SIGTERM": "`run` ends in order within 5 seconds, with all state saved.",
    "SIGHUP": "`run` takes up the configuration as it is now, under the same pid. A wrong one is "
    "refused, and the one in use stays.",
}


def program_page(root: Command, made: Made) -> str:
    about = root.description.rstrip(".")
    parts = [
        head(8, NAME, about[0].lower() + about[1:], made),
        ".SH SYNOPSIS",
        f".B {roff(NAME)}\n[\\fB\\-\\-config\\fP \\fIFILE\\fP]\n\\fICOMMAND\\fP\n[...]",
        ".SH DESCRIPTION",
        prose(
            "Follows the login lines of this host's journal or log file, knows who is on, and sends"
            " a notice for each login and each logout to chats such as Feishu, with what is unusual"
            " about it. The systemd service runs the command `run`; all other commands can be used"
            " while it runs, and most of them only look."
        ),
        ".SH OPTIONS",
        *(_option(word) for word in root.options),
        ".SH COMMANDS",
        *(_command(one) for one in root.walk() if one.path),
        ".SH EXIT STATUS",
        *(_entry(name, text) for name, text in _STATUS.items()),
        ".SH SIGNALS",
        *(_entry(name, text) for name, text in _SIGNALS.items()),
        ".SH FILES",
        *(_entry(name, text) for name, text in _FILES.items()),
        ".SH SEE ALSO",
        f".BR {roff(NAME)}.yaml (5),\n.BR journalctl (1),\n.BR systemctl (1),\n.BR who (1)",
    ]
    return "\n".join(parts) + "\n"


def _entry(name: str, text: str) -> str:
    return f".TP\n.B {roff(name)}\n{prose(text)}"


def _flags(word: Word) -> str:
    flags = ", ".join(f"\\fB{roff(flag)}\\fP" for flag in word.flags)
    if not word.value:
        return flags
    value = "|".join(map(roff, word.choices)) or f"\\fI{roff(word.value)}\\fP"
    if not flags:
        return value
    return f"{flags} [{value}]" if word.optional else f"{flags} {value}"


def _option(word: Word) -> str:
    return f".TP\n{_flags(word)}\n{prose(word.help)}"


def _command(command: Command) -> str:
    operands = " ".join(
        f"\\fI{roff(word.value)}\\fP{'...' if word.repeated else ''}" for word in command.operands
    )
    title = f"\\fB{roff(' '.join(command.path))}\\fP {operands}".rstrip()
    own = [word for word in command.options if not {"-h", "--config"} & set(word.flags)]
    lines = [
        *_paragraphs(command.description or command.help),
        *(_option(word) for word in own),
        *(_option(word) for word in command.operands),
        *_paragraphs(command.epilog),
    ]
    # a title makes a paragraph itself
    return "\n".join([f".SS {title}", *lines]).replace(f".SS {title}\n.PP\n", f".SS {title}\n")


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of a help text; an example and lines that are indented stay as they are."""
    for paragraph in text.strip("\n").split("\n\n"):
        for is_list, group in groupby(paragraph.splitlines(), key=_stands_alone):
            lines = list(group)
            if lines[0].startswith("Example: "):
                example = verbatim(line.removeprefix("Example: ") for line in lines)
                yield f".PP\nExample:\n{example}"
            elif is_list:
                yield verbatim(line.strip() for line in lines)
            else:
                yield f".PP\n{prose(' '.join(lines))}"


def _stands_alone(line: str) -> bool:
    return line.startswith((" ", "Example: "))


# --- user-session-monitor.yaml(5) -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """Keys that follow one another in the example, with the comment above them."""

    keys: tuple[tuple[str, str], ...]
    """(dotted name, default as it is written there)"""
    comment: tuple[str, ...]


def entries(text: str) -> Iterator[Entry]:
    """The example's keys with their English comments, in its order.

    Keys below one another without an empty line share the comment above the first.
    """
    path: list[str] = []
    comment: list[str] = []
    keys: list[tuple[str, str]] = []
    for line in [*text.splitlines(), ""]:
        if key := _KEY.fullmatch(line):
            depth = len(key["indent"]) // 2
            path[depth:] = [key["key"]]
            keys.append((".".join(path), key["value"] or ""))
            continue
        if keys:
            yield Entry(tuple(keys), tuple(comment))
            keys, comment = [], []
        if not line.strip():
            comment = []
            continue
        english = line.strip().removeprefix("#").removeprefix(" ")
        if english.startswith("  ") or not _CHINESE.search(english):
            comment.append(english)


def _config_entry(entry: Entry) -> str:
    if not entry.comment:  # a part whose keys speak for themselves
        return f".SS {roff(entry.keys[0][0])}"
    names = [f"\\fB{roff(name)}:\\fP {roff(default)}".rstrip() for name, default in entry.keys]
    lines = [".TP", "\n.TQ\n".join(names)]
    for is_example, group in groupby(entry.comment, key=_stands_alone):
        text = list(group)
        if is_example:
            lines.append(verbatim(text, 9))
        else:
            lines += [".IP"] if lines[-1].endswith(".RE") else []
            lines.append(prose(" ".join(text)))
    return "\n".join(lines)


def config_page(text: str, made: Made) -> str:
    parts = [
        head(5, f"{NAME}.yaml", f"configuration of {NAME}", made),
        ".SH SYNOPSIS",
        f".I {roff(CONFIG)}",
        ".SH DESCRIPTION",
        prose(
            "YAML. Below, every key with its default; a key that is left out or left empty keeps "
            "it. Unknown keys, wrong types and bad values are errors that name file, line and key: "
            f"`{NAME} check` shows them. After a change: `systemctl reload {NAME}`."
        ),
        ".PP",
        prose(
            "The file may hold secrets: keep it readable by root and the service's group alone "
            "(mode 0640)."
        ),
        ".SH KEYS",
        *(_config_entry(entry) for entry in entries(text)),
        ".SH SEE ALSO",
        f".BR {roff(NAME)} (8)",
    ]
    return "\n".join(parts) + "\n"


def page(section: str, made: Made) -> str:
    if section == "8":
        return program_page(cli_tree.read(), made)
    return config_page(EXAMPLE.read_text(encoding="utf-8"), made)


if __name__ == "__main__":
    sys.stdout.write(page(sys.argv[1], Made(*sys.argv[2:4])))
