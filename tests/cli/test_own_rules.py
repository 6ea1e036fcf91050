"""Rules of one's own from the command line: what is good holds, what is not is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journal_files import entry, needs_journal, write
from tests.program.running import run

GOOD = """
programs: [myvpnd]
rules:
  myvpn.accepted:
    means: accepted
    lines: ["user {user} logged in from {ip}:{port} by {method}"]
    examples:
      - text: "user alice logged in from 198.51.100.7:50022 by password"
        gives: {user: alice, ip: 198.51.100.7, port: 50022, method: password}
"""
OVERRIDING = """
programs: [sshd]
service: sshd
rules:
  sshd.accepted:
    means: nothing
    lines: ["Accepted {method} for {user} from {ip} port {port} ssh2"]
    examples:
      - text: "Accepted password for alice from 192.0.2.7 port 50022 ssh2"
        gives: {user: alice, ip: 192.0.2.7, port: 50022, method: password}
"""
LOG = """\
2026-11-21T08:15:30Z web-1 myvpnd[77]: user alice logged in from 198.51.100.7:50022 by password
2026-11-21T08:17:30Z web-1 sshd[78]: Accepted password for bob from 192.0.2.7 port 50022 ssh2
"""
BROKEN = "programs: [x]\nrules: {a: {means: acepted, lines: [x]}}\n"
HOSTILE = """
programs: [x]
rules:
  a: {means: accepted, lines: ["{text}a{text}a{text}z{number}"]}
"""


class Host:
    """A folder with a configuration, a log and rules."""

    def __init__(self, folder: Path) -> None:
        self.rules = folder / "rules"
        self.rules.mkdir()
        self.log = folder / "auth.log"
        self.log.write_text(LOG, encoding="utf-8")
        self._config = folder / "config.yaml"
        self._config.write_text(
            f"monitor: {{source: file, log_file: {self.log}, rules_dir: {self.rules}}}\n"
            f"state: {{dir: {folder / 'state'}}}\n"
        )

    def add(self, name: str, text: str) -> None:
        (self.rules / name).write_text(text, encoding="utf-8")

    def run(self, *words: str) -> tuple[int, str, list[str]]:
        done = run("--config", str(self._config), *words)
        return done.returncode, done.stdout.decode(), done.stderr.decode().splitlines()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_good_pack_holds_everywhere(host: Host) -> None:
    host.add("myvpn.yaml", GOOD)
    host.add(".#myvpn.yaml", "an editor's leftover: [")
    status, said, _ = host.run("rules", "test")
    assert status == 0 and "own rules: 1, in place of built-in ones: 0" in said
    assert "myvpn.yaml" in said
    assert "myvpn.accepted" in host.run("rules", "list")[1]
    status, said, _ = host.run("check")
    assert status == 0 and "own rules: 1," in said
    _, said, _ = host.run("scan", str(host.log))
    assert "myvpn   alice 198.51.100.7" in said and "sshd    bob" in said


def test_a_file_that_is_not_read_is_told(host: Host) -> None:
    host.add("myvpn.yml", GOOD)
    assert "own rules" not in host.run("rules", "test")[1]
    status, said, _ = host.run("check")
    assert status == 1 and "myvpn.yml: is not read: call it myvpn.yaml" in said


def test_a_rule_of_a_built_in_name_takes_its_place(host: Host) -> None:
    host.add("own.yaml", OVERRIDING)
    status, said, _ = host.run("rules", "test")
    assert status == 0 and "own rules: 1, in place of built-in ones: 1" in said
    _, said, _ = host.run("scan", str(host.log))
    assert "bob" not in said


def test_a_pack_of_a_built_in_name_stays_a_pack_of_its_own(host: Host) -> None:
    """Its rules are for its programs, and the built-in one's are not."""
    host.add("sshd.yaml", GOOD)
    assert host.run("rules", "test")[0] == 0
    host.log.write_text(LOG.replace("myvpnd[", "sshd[").replace("sshd[78", "myvpnd[78"))
    _, said, _ = host.run("scan", str(host.log))
    assert said == ""


def test_every_mistake_of_every_file_is_a_line(host: Host) -> None:
    host.add("a.yaml", BROKEN)
    host.add("b.yaml", "programs: [x\n")
    host.add("c.yaml", GOOD)
    for words in (("rules", "test"), ("rules", "list"), ("scan", str(host.log)), ("run",)):
        status, said, errors = host.run(*words)
        assert (status, said, len(errors)) == (2, "", 2), words
        assert "a.yaml:2: rules.a.means must be one of" in errors[0]
        assert "b.yaml:" in errors[1] and "not valid YAML" in errors[1]
    status, said, errors = host.run("check")
    bad = [line for line in said.splitlines() if line.startswith("BAD")]
    assert status == 1 and errors == []
    assert [line.split()[1] for line in bad] == ["rules", "rules"]  # not again as the source's


def test_a_pattern_that_could_take_minutes_is_refused(host: Host) -> None:
    host.add("own.yaml", HOSTILE)
    for words in (("rules", "test"), ("scan", str(host.log))):
        status, _, (error,) = host.run(*words)
        assert status == 2 and "own.yaml: a: " in error and "so many ways" in error
    assert "BAD rules" in host.run("check")[1]


@needs_journal
def test_a_journal_is_searched_for_its_programs_whatever_their_facility(
    host: Host, tmp_path: Path
) -> None:
    host.add("myvpn.yaml", GOOD)
    text = "user alice logged in from 198.51.100.7:50022 by password"
    file = tmp_path / "system.journal"
    write(file, [entry(0, text, SYSLOG_FACILITY=3, SYSLOG_IDENTIFIER="myvpnd", _COMM="myvpnd")])
    _, said, _ = host.run("scan", str(file))
    assert "myvpn   alice 198.51.100.7" in said


def test_an_example_that_does_not_hold_is_found(host: Host) -> None:
    host.add("own.yaml", GOOD.replace("user: alice", "user: bob"))
    status, said, _ = host.run("rules", "test")
    assert status == 1 and "own.yaml: myvpn.accepted: it gives" in said
    status, said, _ = host.run("check")
    assert status == 1 and "BAD rules" in said


def test_a_folder_that_is_a_file_is_told(host: Host) -> None:
    host.rules.rmdir()
    assert host.run("rules", "test")[0] == 0  # it need not be there
    host.rules.write_text("")
    status, _, (error,) = host.run("rules", "test")
    assert status == 2 and "rules: cannot be read: Not a directory" in error
