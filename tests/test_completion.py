"""What the shells really complete, with the functions that are installed."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from usersessionmon.cli.main import COMMANDS

WRITER = Path(__file__).parents[1] / "packaging/completion.py"
NAME = "user-session-monitor"
Complete = Callable[..., set[str]]

CASES = [
    pytest.param(["who"], {"who"}, id="a-command"),
    pytest.param(["rules", "ex"], {"explain"}, id="an-action"),
    pytest.param(["history", "--tot"], {"--totals"}, id="an-option"),
    pytest.param(["history", "--totals", "d"], {"day"}, id="a-choice"),
    pytest.param(["--config", "conf"], {"config-of-mine"}, id="a-file"),
    pytest.param(["--config", "config-of-mine", "sca"], {"scan"}, id="behind-a-value"),
    pytest.param(["scan", "config-o"], {"config-of-mine"}, id="a-log"),
    pytest.param(["history", "--limit", "5", "--aft", ""], set(), id="nothing"),
]


def script(shell: str, folder: Path) -> Path:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run(
        [sys.executable, "-B", WRITER, shell], capture_output=True, text=True, check=True
    )
    file = folder / f"_{NAME}"
    file.write_text(done.stdout, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the shells stand: a file can be completed."""
    path = tmp_path_factory.mktemp("completed")
    (path / "config-of-mine").touch()
    return path


@pytest.fixture(scope="module")
def bash(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Complete:
    file = script("bash", tmp_path_factory.mktemp("bash"))

    def complete(*words: str) -> set[str]:
        line = " ".join(map(shlex.quote, [NAME, *words]))
        command = (
            f"source {file}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _user_session_monitor;"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "--norc", "-c", command],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return set(done.stdout.split())

    return complete


@pytest.fixture(scope="module")
def fish(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Complete:
    home = tmp_path_factory.mktemp("fish")
    file = script("fish", home)

    def complete(*words: str) -> set[str]:
        line = " ".join([NAME, *words])
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {file}; complete -C {shlex.quote(line)}"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return {row.split("\t")[0] for row in done.stdout.splitlines()}

    return complete


@pytest.mark.parametrize(("words", "wanted"), CASES)
def test_bash_completes(bash: Complete, words: list[str], wanted: set[str]) -> None:
    assert bash(*words) == wanted


@pytest.mark.parametrize(("words", "wanted"), CASES)
def test_fish_completes(fish: Complete, words: list[str], wanted: set[str]) -> None:
    assert fish(*words) == wanted


def test_all_commands_are_offered(bash: Complete, fish: Complete) -> None:
    assert bash("") == set(COMMANDS)
    assert fish("") >= set(COMMANDS)


def test_bash_takes_a_choice_behind_an_equals_sign(bash: Complete) -> None:
    assert bash("history", "--totals", "=", "d") == {"day"}
    assert bash("history", "--totals", "=") == {"user", "ip", "day"}


def test_a_value_that_may_be_left_out_hides_no_option(bash: Complete, fish: Complete) -> None:
    assert bash("who", "--watch", "--js") == {"--json"}
    assert fish("who", "--watch", "--js") == {"--json"}


# --- zsh: a terminal, because its completion needs the line editor ------------------------------


class Zsh:
    """A zsh at a terminal; what it is told to complete must have one answer."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="dumb", HOME=str(folder), PS1="", LANG="C.UTF-8")
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.ask(
            f"PS1= PS2= RPS1= fpath=({file.parent} $fpath); bindkey -e;"
            "unset zle_bracketed_paste; unsetopt prompt_sp;"
            "autoload -Uz compinit; compinit -u -D; setopt no_beep; print 'ready'-'now'\n",
            "ready-now",
        )

    def ask(self, keys: str, until: str) -> str:
        os.write(self.terminal, keys.encode())
        said, end = "", time.monotonic() + 20
        while until not in said:
            assert time.monotonic() < end, f"zsh said {said!r}"
            if select.select([self.terminal], [], [], 0.5)[0]:
                said += os.read(self.terminal, 4096).decode(errors="replace")
        return said

    def completed(self, line: str) -> str:
        """The line behind a tab, printed by the shell itself between marks that nobody types."""
        said = self.ask(f"{line}\t\x01print -r -- '<''<' \x05 '>''>'\n", ">>")
        return said.rpartition("<<")[2].partition(">>")[0].strip()

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("sca", "scan"),
        ("rules ex", "rules explain"),
        ("history --tot", "history --totals"),
        ("history --totals=d", "history --totals=day"),
        ("--config conf", "--config config-of-mine"),
        ("--config config-of-mine sca", "--config config-of-mine scan"),
        ("scan config-o", "scan config-of-mine"),
        ("notices pre", "notices preview"),
    ],
)
def test_zsh_completes(
    line: str, wanted: str, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    zsh = Zsh(script("zsh", tmp_path_factory.mktemp("zsh")), folder)
    try:
        assert zsh.completed(f"{NAME} {line}") == f"{NAME} {wanted}"
    finally:
        zsh.close()
