"""Which log is followed, on hosts of all kinds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.journal_files import START_US, entry, needs_journal, needs_systemd, write
from usersessionmon.sources.auto import FileFacts, choose, decide, look_at
from usersessionmon.sources.journal_probe import JournalFacts, probe

LINE = b"2026-11-21T08:15:30+00:00 web-1 sshd[7]: Accepted password for alice\n"
NOTHING = JournalFacts(True, False, False, None, "this host keeps no systemd journal")
FULL = JournalFacts(True, True, True, START_US)
EMPTY = JournalFacts(True, True, True, None)
FORBIDDEN = JournalFacts(True, True, False, None, "the journal: add the user to systemd-journal")
NO_LIBRARY = JournalFacts(False, True, False, None, "install python3-systemd")


def file_facts(auth_us: int | None = None) -> FileFacts:
    return FileFacts("/var/log/auth.log", True, True, auth_us)


ABSENT = FileFacts("/var/log/auth.log", False, False, None, "/var/log/auth.log: no such file")
CLOSED = FileFacts("/var/log/auth.log", True, False, None, "/var/log/auth.log: add to adm")
HOUR = 3600 * 1_000_000


@pytest.mark.parametrize(
    ("journal", "file", "kind"),
    [
        (FULL, ABSENT, "journal"),
        (FULL, CLOSED, "journal"),
        (FULL, file_facts(), "journal"),
        (FULL, file_facts(START_US), "journal"),
        (FULL, file_facts(START_US + HOUR // 2), "journal"),
        (FULL, file_facts(START_US + 2 * HOUR), "file"),
        (EMPTY, ABSENT, "journal"),
        (EMPTY, file_facts(), "journal"),
        (EMPTY, file_facts(START_US), "file"),
        (NOTHING, ABSENT, "file"),
        (NOTHING, file_facts(), "file"),
        (FORBIDDEN, file_facts(START_US), "file"),
        (FORBIDDEN, ABSENT, "journal"),
        (FORBIDDEN, CLOSED, "file"),
        (NO_LIBRARY, file_facts(), "file"),
        (NO_LIBRARY, ABSENT, "file"),
    ],
)
def test_the_choice(journal: JournalFacts, file: FileFacts, kind: str) -> None:
    choice = decide(journal, file)
    assert choice.kind == kind and choice.why
    assert choice.path == ("/var/log/auth.log" if kind == "file" else "")
    if journal is NOTHING and file.readable:
        assert choice.problems == ()  # without a journal, the file is no makeshift
    elif journal.trouble:
        assert journal.trouble in choice.problems
    if file.trouble and kind == "file":
        assert file.trouble in choice.problems


def test_what_is_configured_is_done() -> None:
    def unasked() -> JournalFacts:
        raise AssertionError("the journal was looked at")

    named = choose("auto", "/x/y.log", default_log_files=["/z"], probe_journal=unasked)
    assert (named.kind, named.path) == ("file", "/x/y.log")
    assert "/x/y.log: there is no such file" in named.problems
    default = choose("file", "", default_log_files=["/x/z.log"], probe_journal=unasked)
    assert (default.kind, default.path) == ("file", "/x/z.log")
    journal = choose("journal", "", default_log_files=[], probe_journal=lambda: FORBIDDEN)
    assert (journal.kind, journal.problems) == ("journal", (FORBIDDEN.trouble,))
    nothing = choose("auto", "", default_log_files=[], probe_journal=lambda: NOTHING)
    assert (nothing.kind, nothing.path) == ("file", "")


def test_of_several_files_the_one_with_logins_is_taken(tmp_path: Path) -> None:
    empty, secure, messages = (tmp_path / name for name in ("auth.log", "secure", "messages"))
    empty.write_bytes(b"")
    secure.write_bytes(LINE)
    messages.write_bytes(LINE)
    os.utime(secure, (1_000, 1_000))
    os.utime(messages, (500, 500))
    files = [str(tmp_path / "none"), str(empty), str(secure), str(messages)]
    assert choose("file", "", default_log_files=files).path == str(secure)
    secure.unlink()
    messages.write_bytes(b"kernel: nothing\n")
    assert choose("file", "", default_log_files=files).path == str(empty)


def test_a_file_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "auth.log"
    file.write_bytes(b"x" * 500_000 + b"\n" + LINE)
    os.utime(file, (1_000, 1_000))
    assert look_at(str(file)) == FileFacts(str(file), True, True, 1_000_000_000)
    file.write_bytes(LINE + b"x" * 500_000)
    assert look_at(str(file)).auth_us is None
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path):
        facts = look_at(str(path))
        assert facts.exists and not facts.readable and facts.trouble
    assert not look_at(str(tmp_path / "none")).exists


def test_a_file_that_may_not_be_read_names_the_group(tmp_path: Path) -> None:
    file = tmp_path / "auth.log"
    file.write_bytes(LINE)
    file.chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # root may read everything
    try:
        facts = look_at(str(file))
    finally:
        os.seteuid(before)
    assert facts.exists and not facts.readable and "adm" in facts.trouble


@needs_journal
def test_a_journal_is_usable_when_an_entry_of_the_system_can_be_read(tmp_path: Path) -> None:
    assert probe(str(tmp_path)).trouble == "this host keeps no systemd journal"
    user = tmp_path / "user"
    user.mkdir()
    write(user / "user-1000.journal", [entry(0, "x", _UID=1000)])
    facts = probe(str(user))
    assert facts.exists and not facts.permitted and facts.newest_auth_us is None and facts.trouble
    system = tmp_path / "system"
    system.mkdir()
    hostile = entry(3, "x", COREDUMP_TIMESTAMP="9" * 30)
    other = entry(9, "x", SYSLOG_FACILITY=3)
    write(system / "system.journal", [entry(0, "x"), hostile, other])
    assert probe(str(system)) == JournalFacts(True, True, True, START_US + 3_000_000)
    assert (
        choose("auto", "", default_log_files=["/x"], probe_journal=lambda: probe(str(system))).kind
        == "journal"
    )


@needs_systemd
def test_a_missing_directory_is_no_exception(tmp_path: Path) -> None:
    assert not probe(str(tmp_path / "none")).permitted


def test_without_systemd_python_the_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    facts = probe(str(tmp_path))
    assert not facts.importable and "python3-systemd" in facts.trouble
