"""The service of Windows: the task's XML, the steps of an installation, and all of it in a process
that lacks what Windows lacks, where programs in place of Windows' own note what they are told.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

import usersessionmon
from tests.windows_host import done, windows
from usersessionmon.cli.main import main
from usersessionmon.cli.service import carry_out
from usersessionmon.cli.service_closed import quoted
from usersessionmon.cli.service_doing import Command, File, Folder, Removal, do, run, shown
from usersessionmon.cli.service_steps import Site, install, start, uninstall
from usersessionmon.cli.service_task import NAMESPACE, Account, account_of, task_xml
from usersessionmon.errors import TroubleError, UserError

LOCAL = Account("S-1-5-19", managed=False)
MANAGED = Account("CORP\\monitor$", managed=True)
BASE = PureWindowsPath(r"C:\ProgramData\user-session-monitor")
TEXT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Cn")), max_size=30)
PLAYED = """#!/bin/sh
printf '%s\\n' "${0##*/} $*" >> "$NOTED"
case "$*" in
*"$FAILS"*) echo "Zugriff verweigert" >&2; exit 5 ;;
*Get-ScheduledTaskInfo*) echo "Running, last result 0x41301, as S-1-5-19" ;;
esac
"""


def parts(data: bytes) -> dict[str, str]:
    """The texts of a task by their paths."""
    found = {}

    def walk(element: ET.Element, path: str) -> None:
        name = f"{path}/{element.tag.removeprefix(f'{{{NAMESPACE}}}')}"
        assert element.tag.startswith(f"{{{NAMESPACE}}}")
        found[name] = (element.text or "").strip()
        for child in element:
            walk(child, name)

    walk(ET.fromstring(data), "")
    return found


def argv(line: str) -> list[str]:
    """A command line taken apart as programs of Windows do it (CommandLineToArgvW)."""
    words: list[str] = []
    word, within, started, at = "", False, False, 0
    while at < len(line):
        slashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        if slashes:
            before_quote = line[at + slashes : at + slashes + 1] == '"'
            word += "\\" * (slashes // 2 if before_quote else slashes)
            at, started = at + slashes, True
            if before_quote and slashes % 2:
                word, at = word + '"', at + 1
        elif line[at] == '"':
            within, started, at = not within, True, at + 1
        elif line[at] in " \t" and not within:
            words += [word] if started else []
            word, started, at = "", False, at + 1
        else:
            word, started, at = word + line[at], True, at + 1
    return [*words, word] if started else words


# --- the task -------------------------------------------------------------------------------------


def test_the_task_never_ends_by_itself_and_has_no_rights() -> None:
    data = task_xml([r"C:\p\python.exe", "-m", "usersessionmon", "run"], BASE, LOCAL)
    assert data[:2] in (b"\xff\xfe", b"\xfe\xff"), "UTF-16 with its mark"
    assert ET.fromstring(data).get("version") == "1.2"
    found = parts(data)
    settings = "/Task/Settings"
    wanted = {
        f"{settings}/ExecutionTimeLimit": "PT0S",
        f"{settings}/RestartOnFailure/Interval": "PT1M",
        f"{settings}/RestartOnFailure/Count": "255",
        f"{settings}/MultipleInstancesPolicy": "IgnoreNew",
        f"{settings}/DisallowStartIfOnBatteries": "false",
        f"{settings}/StopIfGoingOnBatteries": "false",
        f"{settings}/IdleSettings/StopOnIdleEnd": "false",
        f"{settings}/Enabled": "true",
        "/Task/Triggers/BootTrigger/Enabled": "true",
        "/Task/Triggers/TimeTrigger/Repetition/Interval": "PT1M",
        "/Task/Principals/Principal/UserId": "S-1-5-19",
        "/Task/Principals/Principal/RunLevel": "LeastPrivilege",
        "/Task/Actions/Exec/Command": r"C:\p\python.exe",
        "/Task/Actions/Exec/Arguments": "-m usersessionmon run",
        "/Task/Actions/Exec/WorkingDirectory": str(BASE),
    }
    assert wanted.items() <= found.items()
    assert "/Task/Principals/Principal/LogonType" not in found, "the schema has none for it"
    assert "/Task/Triggers/TimeTrigger/Repetition/Duration" not in found, "for ever"


def test_a_managed_account_logs_on_by_the_password_that_nobody_knows() -> None:
    found = parts(task_xml(["python.exe"], BASE, MANAGED))
    assert found["/Task/Principals/Principal/UserId"] == "CORP\\monitor$"
    assert found["/Task/Principals/Principal/LogonType"] == "Password"


@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_whatever_stands_in_a_path_stays_one_word(words: list[str], folder: str) -> None:
    data = task_xml(["python.exe", *words], PureWindowsPath("C:/") / folder, LOCAL)
    exec_ = ET.fromstring(data).find(f".//{{{NAMESPACE}}}Exec")
    assert exec_ is not None
    texts = {child.tag.rpartition("}")[2]: child.text for child in exec_}
    assert set(texts) == {"Command", "Arguments", "WorkingDirectory"}
    assert argv(texts["Arguments"] or "") == words


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("LOCAL SERVICE", LOCAL),
        ("nt authority\\localservice", LOCAL),
        ("NT AUTHORITY\\NETWORK SERVICE", Account("S-1-5-20", managed=False)),
        ("CORP\\monitor$", MANAGED),
        ("corp.example\\北京-1$", Account("corp.example\\北京-1$", managed=True)),
    ],
)
def test_accounts(text: str, account: Account) -> None:
    assert account_of(text) == account


@pytest.mark.parametrize(
    "text",
    [
        "SYSTEM",
        "NT AUTHORITY\\SYSTEM",
        "Administrator",
        "CORP\\alice",
        "monitor$",
        "CORP\\x'; Remove-Item C:$",
        "CORP\\x’$",
        "CORP\\%USERNAME%$",
        "CORP\\$(Arg0)$",
        "CORP\\a b$",
        "CORP\\x$\n",
        "a\\b\\c$",
        "",
    ],
)
def test_accounts_with_more_rights_or_a_password_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="LOCAL SERVICE"):
        account_of(text)


@given(st.text(st.sampled_from("ab $`\"'‘’‚‛;\\"), max_size=12))
def test_powershell_reads_one_text(text: str) -> None:
    found = quoted(text)
    inner = found[1:-1]
    assert found[0] == found[-1] == "'"
    read, at = "", 0
    while at < len(inner):
        if inner[at] in "'‘’‚‛":
            assert inner[at + 1] == inner[at], "a single one would end the text"
            at += 1
        read, at = read + inner[at], at + 1
    assert read == text


# --- the steps ------------------------------------------------------------------------------------


class Windows:
    """In place of Windows' programs."""

    def __init__(self, fails: str = "") -> None:
        self.told: list[list[str]] = []
        self._fails = fails

    def __call__(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.told.append(list(words))
        failed = bool(self._fails) and any(self._fails in word for word in words)
        return subprocess.CompletedProcess(words, 5 if failed else 0, "", "denied\r\n by all")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    base = tmp_path / "ProgramData"
    return Site(
        base,
        base / "state",
        base / "config.yaml",
        tmp_path / "python.exe",
        tmp_path,
        False,
        (tmp_path / "venv", tmp_path / "Python"),
    )


def test_the_installation_can_be_done_again(site: Site) -> None:
    for _ in range(2):
        runner = Windows()
        for step in install(site, LOCAL, has_config=True):
            do(step, runner)
        assert [Path(words[0]).name for words in runner.told] == [
            *("powershell.exe", "powershell.exe", "icacls.exe", "icacls.exe"),
            *("powershell.exe", "icacls.exe", "icacls.exe"),
            *("powershell.exe", "icacls.exe"),
            *("powershell.exe", "powershell.exe", "powershell.exe"),
        ]
    assert Path(site.state).is_dir()
    assert parts(Path(site.task_file).read_bytes())["/Task/Actions/Exec/Command"].endswith(
        "python.exe"
    )


def test_rights(site: Site) -> None:
    """Nobody but the system, administrators and the account; names would be translated."""
    steps = install(site, LOCAL, has_config=True)
    told = [one.words for one in steps if isinstance(one, Command)]
    given = {words[1]: words[2:] for words in told if "/grant:r" in words}
    all_of = ("/inheritance:r", "/grant:r", "*S-1-5-18:(OI)(CI)F", "*S-1-5-32-544:(OI)(CI)F")
    assert given == {
        str(site.base): (*all_of, "*S-1-5-19:(OI)(CI)RX", "/Q"),
        str(site.state): (*all_of, "*S-1-5-19:(OI)(CI)M", "/Q"),
        str(site.config): (
            *("/inheritance:r", "/grant:r", "*S-1-5-18:F", "*S-1-5-32-544:F", "*S-1-5-19:R", "/Q"),
        ),
    }  # fmt: skip
    join = "Add-LocalGroupMember -SID S-1-5-32-573 -Member 'S-1-5-19'"
    assert sum(join in words[-1] for words in told) == 1


def test_what_is_somebody_elses_is_found_before_anything_is_put_there(site: Site) -> None:
    steps = list(install(site, LOCAL, has_config=False))
    assert isinstance(steps[1], Folder)
    assert isinstance(steps[2], Command) and "GetOwner" in steps[2].words[-1]
    runner = Windows("GetOwner")
    do(steps[1], runner)
    with pytest.raises(TroubleError, match=r"\(status 5\): denied by all; .*takeown"):
        do(steps[2], runner)
    assert list(Path(site.base).iterdir()) == []


def test_what_others_put_there_until_the_rights_were_cut_is_looked_for_afterwards(
    site: Site,
) -> None:
    """Looked for before, it could still be put there between; its owner gives himself rights."""
    elsewhere = site._replace(state=site.base.parent / "state of mine")
    for one in (site, elsewhere):
        steps = [step for step in install(one, LOCAL, has_config=True) if isinstance(step, Command)]
        for folder in (one.base, one.state):
            alone, owner, cut = (
                step.words
                for step in steps
                if step.what.endswith((f" {folder}", f"{folder} for administrators"))
            )
            assert "Test-Link" in alone[-1] and "-Recurse" not in alone[-1], "icacls follows links"
            assert owner[1:] == (str(folder), "/setowner", "*S-1-5-32-544", "/Q")
            assert "/grant:r" in cut
        (trust,) = (at for at, step in enumerate(steps) if "$wide" in step.words[-1])
        cuts = [at for at, step in enumerate(steps) if "/grant:r" in step.words]
        assert len(cuts) == 3 and max(cuts) < trust
        script = steps[trust].words[-1]
        roots = script[script.index("foreach ($root in ") :].partition(")")[0]
        assert f"'{one.base}'" in roots
        assert (f"'{one.state}'" in roots) == (one is elsewhere), (
            "what is in the base is seen there"
        )
        assert f"StartsWith('{one.state}\\'" in script, "the state may be the account's own"
        assert "S-1-5-19" not in script[script.index("$good =") :], "but nothing else"
        runner = Windows("$wide")
        with pytest.raises(
            TroubleError, match=r"trust what was there before .*takeown /F .* /A /R"
        ):
            carry_out(install(one, LOCAL, has_config=True), runner)
        assert not Path(one.task_file).exists()


def test_a_program_that_others_can_change_is_no_service(site: Site) -> None:
    """As under the root of a disk, where everybody who logged on may change what is made."""
    runner = Windows("venv")
    message = r"could not trust the program's folder .*; install Python for all users under C:\\"
    with pytest.raises(TroubleError, match=message):
        carry_out(install(site, LOCAL, has_config=False), runner)
    assert not Path(site.base).exists(), "before all else"
    (words,) = runner.told
    script = words[-1]
    roots = script[script.index("foreach ($root in ") :].partition(")")[0]
    assert all(f"'{one}'" in roots for one in site.program)
    assert "-Recurse" in script and "$wide" not in script
    good = re.search(r"\$good = ([^;]+);", script)
    assert good is not None and "S-1-5-19" not in good[1], "not even the account"


MODIFY, READ, FULL, CREATE = 0x1301BF, 0x1200A9, 0x1F01FF, 0x6
"""Rights that icacls shows as M, RX, F, and (WD,AD)."""


def test_which_rights_are_too_many(site: Site) -> None:
    script = next(one for one in install(site, LOCAL, has_config=False) if isinstance(one, Command))
    above, itself = (int(one) for one in re.findall(r"Test-Item \S+ \S+ (\d+)", script.words[-1]))
    for mask, much in ((itself, {MODIFY, FULL, CREATE}), (above, {MODIFY, FULL})):
        assert {one for one in (MODIFY, READ, FULL, CREATE) if one & mask} == much
        assert mask < 1 << 31, "PowerShell's [int]"
        for generic, bad in ((1 << 28, True), (1 << 30, True), (1 << 29, False), (1 << 31, False)):
            assert bool(generic & mask) is bad, "all and write; neither execute nor read"


def test_a_managed_account_is_told_what_it_needs(site: Site) -> None:
    steps = [one for one in install(site, MANAGED, has_config=False) if isinstance(one, Command)]
    assert any("CORP\\monitor$:(OI)(CI)M" in one.words for one in steps)
    (trust,) = (one.words[-1] for one in steps if "$wide" in one.words[-1])
    assert "NTAccount]'CORP\\monitor$').Translate(" in trust
    with pytest.raises(TroubleError, match="log on as a batch job"):
        do(steps[-1], Windows("Register-ScheduledTask"))


def test_removing_leaves_configuration_and_state(site: Site) -> None:
    for step in install(site, LOCAL, has_config=False):
        do(step, Windows())
    Path(site.config).write_text("language: en\n", encoding="utf-8")
    for _ in range(2):
        for step in uninstall(site, purge=False):
            do(step, Windows())
    assert {one.name for one in Path(site.base).iterdir()} == {"state", "config.yaml"}
    for _ in range(2):
        for step in uninstall(site, purge=True):
            do(step, Windows())
    assert not Path(site.base).exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for step in (Folder(file / "x"), File(file / "x", b""), Removal(file / "x" / "y")):
        with pytest.raises(TroubleError, match=f"{file}.*administrator"):
            do(step, Windows())


def test_a_program_that_is_not_there_is_named(site: Site) -> None:
    (step,) = start(site)
    with pytest.raises(TroubleError, match=r"start the task .*FileNotFoundError.*install"):
        do(step, run)


# --- the command ----------------------------------------------------------------------------------


def test_on_linux_it_says_where_to_go(capsys: pytest.CaptureFixture[str]) -> None:
    for action in ("install", "uninstall", "start", "stop", "status"):
        assert main(["service", action]) == 2
        assert "make install-service" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="there it is done")
@pytest.mark.parametrize("action", ["install", "uninstall", "start", "stop", "status"])
def test_on_linux_a_dry_run_is_advised_where_there_is_one(
    capsys: pytest.CaptureFixture[str], action: str
) -> None:
    assert main(["service", action]) == 2
    assert ("--dry-run" in capsys.readouterr().err) == (action != "status")


def test_a_dry_run_shows_all_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["service", "install", "--dry-run"]) == 0
    said = capsys.readouterr().out
    said = said[said.index("make the folder") :]
    order = ["make the folder", "GetOwner", "icacls", "LocalGroupMember", "task.xml", "Register-"]
    places = [said.index(word) for word in [*order, "Start-ScheduledTask"]]
    assert places == sorted(places)
    assert "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>" in said
    assert r"C:\Windows\System32\icacls.exe" in said
    assert main(["service", "uninstall", "--purge", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == r"remove C:\ProgramData\user-session-monitor"


def test_a_dry_run_shows_what_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", r"D:\it's\c.yaml", "service", "install", "--dry-run", "--no-start"]
    assert main([*words, "--account", "CORP\\monitor$"]) == 0
    said = capsys.readouterr().out
    assert r"<Arguments>-I -m usersessionmon --config D:\it's\c.yaml run" in said
    assert "-Member 'CORP\\monitor$'" in said
    assert "Disable-ScheduledTask" in said.splitlines()[-1]
    assert main(["service", "install", "--dry-run", "--account", "SYSTEM"]) == 2
    assert main(["--config", 'D:\\a" b', "service", "install", "--dry-run"]) == 2


@pytest.mark.parametrize("path", [r"D:\%TEMP%\c.yaml", r"D:\100%.yaml", r"D:\$(Arg0)\c.yaml"])
def test_what_the_scheduler_would_expand_is_refused(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", path, "service", "install", "--dry-run"]) == 2
    said = capsys.readouterr()
    assert path in said.err and "another path" in said.err and said.out == ""
    assert main(["--config", r"D:\$x (1).yaml", "service", "install", "--dry-run"]) == 0


def test_each_step_can_be_shown(site: Site) -> None:
    for step in [*install(site, LOCAL, has_config=True), *uninstall(site, purge=True)]:
        assert shown(step)


@pytest.fixture
def system(tmp_path: Path) -> dict[str, str]:
    root = tmp_path / "Windows"
    for name in ("icacls.exe", "WindowsPowerShell/v1.0/powershell.exe"):
        file = root / "System32" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PLAYED, encoding="utf-8")
        file.chmod(0o755)
    return {"SYSTEMROOT": str(root), "NOTED": str(tmp_path / "noted"), "FAILS": "nothing does"}


def test_its_whole_life(tmp_path: Path, system: dict[str, str]) -> None:
    base = tmp_path / "ProgramData/user-session-monitor"
    said = done(tmp_path, "service", "install", admin=True, more=system)
    assert "runs as S-1-5-19" in said and "setup" in said
    assert (base / "task.xml").exists() and (base / "state").is_dir()
    noted = Path(system["NOTED"]).read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in noted] == [
        *("powershell.exe", "powershell.exe", "icacls.exe", "icacls.exe"),
        *("powershell.exe", "icacls.exe", "icacls.exe"),
        *("powershell.exe", "powershell.exe", "powershell.exe", "powershell.exe"),
    ]
    assert parts((base / "task.xml").read_bytes())["/Task/Actions/Exec/Arguments"].endswith(
        str(base / "state/monitor.log")
    )
    assert "--config" not in (base / "task.xml").read_bytes().decode("utf-16")
    found = windows(tmp_path, "service", "status", "--json", more=system)
    assert found.returncode == 1, "nobody holds the lock"
    assert json.loads(found.stdout) == {
        "running": False,
        "pid": None,
        "task": "Running, last result 0x41301, as S-1-5-19",
    }
    for action in ("stop", "start", "uninstall"):
        done(tmp_path, "service", action, admin=True, more=system)
    assert {one.name for one in base.iterdir()} == {"state"}
    done(tmp_path, "service", "uninstall", "--purge", admin=True, more=system)
    assert not base.exists()


def test_what_fails_is_told_with_the_way_out(tmp_path: Path, system: dict[str, str]) -> None:
    system["FAILS"] = "Add-LocalGroupMember"
    found = windows(tmp_path, "service", "install", admin=True, more=system)
    assert found.returncode == 1
    assert (
        "let the account read event logs (status 5): Zugriff verweigert; put it into"
        in found.stderr
    )
    assert "Register-" not in Path(system["NOTED"]).read_text(encoding="utf-8")
    for action in ("install", "start", "stop", "uninstall"):
        found = windows(tmp_path, "service", action, more=system)
        assert found.returncode == 1 and "administrator" in found.stderr


def test_a_python_of_one_user_is_no_services(tmp_path: Path, system: dict[str, str]) -> None:
    profile = str(Path(sys.prefix).parent / "somebody")
    found = windows(
        tmp_path, "service", "install", admin=True, more=system | {"USERPROFILE": profile}
    )
    assert found.returncode == 2 and "for all users" in found.stderr
    assert not Path(system["NOTED"]).exists()


def test_the_environment_and_the_python_below_it_are_looked_at(
    tmp_path: Path, system: dict[str, str]
) -> None:
    done(tmp_path, "service", "install", admin=True, more=system)
    first = Path(system["NOTED"]).read_text(encoding="utf-8").splitlines()[0]
    for folder in (sys.prefix, sys.base_prefix, Path(usersessionmon.__file__).parent):
        parents = [Path(folder).resolve(), *Path(folder).resolve().parents]
        assert any(f"'{one}'" in first for one in parents)


def test_a_wrong_configuration_is_told_before_all_else(
    tmp_path: Path, system: dict[str, str]
) -> None:
    base = tmp_path / "ProgramData/user-session-monitor"
    base.mkdir(parents=True)
    (base / "config.yaml").write_text("languag: en\n", encoding="utf-8")
    found = windows(tmp_path, "service", "install", admin=True, more=system)
    assert found.returncode == 2 and "languag" in found.stderr
    assert not Path(system["NOTED"]).exists()


def test_a_configuration_elsewhere_is_the_tasks_and_is_closed_too(
    tmp_path: Path, system: dict[str, str]
) -> None:
    config = tmp_path / "my own.yaml"
    words = ("--config", str(config), "service", "install")
    found = windows(tmp_path, *words, admin=True, more=system)
    assert found.returncode == 2 and "there is no such configuration file" in found.stderr
    config.write_text("language: en\n", encoding="utf-8")
    done(tmp_path, *words, admin=True, more=system)
    task = (tmp_path / "ProgramData/user-session-monitor/task.xml").read_bytes().decode("utf-16")
    assert f'--config "{config}" run' in task
    assert f"icacls.exe {config} /inheritance:r" in Path(system["NOTED"]).read_text("utf-8")


def test_why_it_ended_stands_in_its_log(tmp_path: Path) -> None:
    log = tmp_path / "monitor.log"
    (tmp_path / "config.yaml").write_text("monitor: {source: nothing}\n", encoding="utf-8")
    words = ("--config", str(tmp_path / "config.yaml"), "run", "--log-file", str(log))
    assert windows(tmp_path, *words).returncode == 2
    text = log.read_text(encoding="utf-8")
    assert "error: " in text and "monitor.source must be one of" in text
    assert text[:4].isdecimal(), "with the time in front"
    (tmp_path / "config.yaml").write_text(
        f"monitor: {{source: file, log_file: {tmp_path}/auth.log}}\n", encoding="utf-8"
    )
    found = windows(tmp_path, *words, "--once")
    assert found.returncode == 0 and found.stderr == ""
    assert "nothing to follow yet" in log.read_text(encoding="utf-8")
