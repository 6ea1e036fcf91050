"""`claim` and `release`: a host for oneself, told to the others, and never against anybody."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.strangers import let_in
from usersessionmon.cli import claim as command
from usersessionmon.cli import release
from usersessionmon.cli.main import main
from usersessionmon.clock import SystemClock
from usersessionmon.model import Claim, Moment, SessionView
from usersessionmon.store import claims, db, state
from usersessionmon.store.place import locked, open_state

HOUR = 3_600_000_000
NOT_RUNNING = "the monitor is not running: nobody who logs in is told of it\n"


@dataclass
class Site:
    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self.state = self.folder / "state"
        self.state.mkdir()
        (self.folder / "config.yaml").write_text(
            f"state: {{dir: {self.state}}}\ntimezone: UTC\nserver: {{name: here-1}}\n"
        )
        self.write(lambda _connection: None)

    def write(self, what: Callable[[Any], object]) -> None:
        with closing(open_state(self.state)) as connection, db.transaction(connection):
            what(connection)

    def call(self, *words: str, by: str = "alice") -> tuple[int, str, str]:
        """With the monitor running."""
        self.monkeypatch.setattr(command, "caller", lambda: by)
        self.monkeypatch.setattr(release, "caller", lambda: by)
        with locked(self.state):
            status = main(["--config", str(self.folder / "config.yaml"), *words])
        out, err = self.capsys.readouterr()
        return status, out, err

    def held(self) -> list[Claim]:
        with closing(open_state(self.state)) as connection:
            return claims.current(connection, SystemClock().now_us())

    def listed(self, *words: str) -> list[dict[str, Any]]:
        status, out, err = self.call("claim", "--json", *words)
        assert (status, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Site:
    return Site(tmp_path, capsys, monkeypatch)


def test_a_claim_is_made_shown_and_released(site: Site) -> None:
    status, out, err = site.call("claim", "web-1", "--for", "2h", "--note", " deploying, ask me ")
    assert (status, err) == (0, "")
    (held,) = site.held()
    assert (held.host, held.user, held.made_by, held.note) == (
        "web-1", "alice", "alice", "deploying, ask me",
    )  # fmt: skip
    assert held.until_us - held.made_us == 2 * HOUR
    assert out.startswith("web-1 is claimed by alice until ")
    assert out.endswith(": deploying, ask me\n")
    head, _, row = site.call("claim")[1].splitlines()
    assert head.split() == ["host", "claimed", "by", "until", "since", "note"]
    assert row.startswith("web-1   alice") and "deploying, ask me" in row
    assert site.call("claim", "--list", by="bob")[1].splitlines()[2] == row
    (listed,) = site.listed()
    assert set(listed) == {"host", "user", "made_by", "note", "made", "until"}
    assert listed["until"].endswith("+00:00") and listed["note"] == "deploying, ask me"
    status, out, _ = site.call("release", "WEB-1.example.com")
    assert status == 0 and out.startswith("released: web-1 was claimed by alice until ")
    assert site.held() == [] and site.listed() == []
    assert site.call("claim")[1] == "no claims\n"
    assert site.call("release", "web-1")[:2] == (0, "web-1 is not claimed\n")


def test_without_a_name_it_is_this_host_by_any_of_its_names(site: Site) -> None:
    site.call("claim", "--for", "1h")
    assert [one.host for one in site.held()] == [platform.node()]
    status, _, err = site.call("claim", "here-1", "--for", "1h", by="bob")
    assert status == 1 and f"{platform.node()} is claimed by alice" in err
    assert len(site.listed("--list", "here-1")) == 1 and site.listed("--list", "web-9") == []
    assert site.call("release", "here-1")[0] == 0
    assert site.held() == []


def test_a_clock_time_that_is_past_is_tomorrow_and_says_so(site: Site) -> None:
    out = site.call("claim", "web-1", "--until", "00:00")[1]
    assert out == "web-1 is claimed by alice until tomorrow 00:00\n"


def test_what_somebody_else_has_claimed_is_theirs(site: Site) -> None:
    site.call("claim", "web-1", "--for", "2h", "--note", "deploying")
    status, out, err = site.call("claim", "web-1", "--for", "3h", by="bob")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "web-1 is claimed by alice until" in err and ": deploying (ask them first" in err
    status, out, err = site.call("release", "web-1", by="bob")
    assert (status, out, err.count("\n")) == (1, "", 1) and "claimed by alice" in err
    assert [one.user for one in site.held()] == ["alice"]
    status, out, _ = site.call("claim", "web-1", "--for", "3h", "--anyway", by="bob")
    first, second = out.splitlines()
    assert status == 0 and first.startswith("ended: web-1 was claimed by alice until ")
    assert second.startswith("web-1 is claimed by bob until ")
    assert [one.user for one in site.held()] == ["bob"]
    assert site.call("release", "web-1", "--anyway")[0] == 0
    assert site.held() == []
    ended, last = site.listed("--all")
    assert (ended["user"], ended["released_by"]) == ("alice", "bob")
    assert (last["user"], last["released_by"]) == ("bob", "alice")
    assert "by alice" in site.call("claim", "--all")[1].splitlines()[-1]


def test_ones_own_is_made_anew(site: Site) -> None:
    site.call("claim", "web-1", "--for", "2h", "--note", "old")
    status, out, _ = site.call("claim", "WEB-1", "--for", "3h", by="CORP\\Alice")
    assert (status, len(out.splitlines())) == (0, 1)
    assert [one.note for one in site.held()] == [""]


def test_in_the_name_of_another_it_says_by_whom(site: Site) -> None:
    out = site.call("claim", "web-1", "--for", "2h", "--user", "alice", by="root")[1]
    assert out.startswith("web-1 is claimed by alice (by root) until ")
    assert site.listed()[0]["made_by"] == "root"
    # it is alice's and root's to end, and nobody else's to change
    assert site.call("claim", "web-1", "--for", "9h", "--user", "alice", by="bob")[0] == 1
    assert site.call("claim", "web-1", "--for", "3h", "--user", "alice", by="root")[0] == 0
    assert site.call("claim", "web-1", "--for", "3h", by="root")[0] == 1, "alice holds it"
    assert site.call("release", "web-1", by="bob")[0] == 1
    assert site.call("release", "web-1", by="root")[0] == 0


def test_a_host_that_nobody_was_seen_on_may_be_a_slip(site: Site) -> None:
    site.write(lambda one: state.write_engine(one, {}, {}, [on("web-1.example.com", "a")]))
    err = site.call("claim", "wbe-1.example.com", "--for", "2h")[2]
    assert err == (
        "nobody was seen on a host called wbe-1.example.com yet (did you mean web-1.example.com?)\n"
    )
    assert len(site.held()) == 1, "it may be the first"
    for host in ("WEB-1", "here-1"):
        assert site.call("claim", host, "--for", "2h")[2] == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to have a state of the service's")
def test_root_leaves_nothing_in_the_services_state(site: Site) -> None:
    os.chown(site.state, 2000, 2001)
    os.chown(site.state / "state.db", 2000, 2001)
    config = str(site.folder / "config.yaml")
    assert main(["--config", config, "claim", "--for", "1h"]) == 0
    assert [path.name for path in site.state.iterdir()] == ["state.db"]
    assert (site.state / "state.db").stat().st_uid == 2000
    with closing(open_state(site.state)) as reader:  # as the monitor's, while one is written
        reader.execute("SELECT * FROM claim").fetchall()
        assert main(["--config", config, "release"]) == 0
        assert {path.stat().st_uid for path in site.state.iterdir()} == {2000}


def test_for_programs(site: Site) -> None:
    site.call("claim", "web-1", "--for", "2h")
    words = ("claim", "web-1", "--for", "2h", "--anyway", "--json")
    status, out, err = site.call(*words, by="bob")
    made = json.loads(out)
    assert status == 0 and (made["user"], made["note"]) == ("bob", None)
    assert err.startswith("ended: web-1 was claimed by alice")


def test_accounts_of_windows_may_have_blanks(site: Site) -> None:
    status, _, _ = site.call("claim", "web-1", "--for", "1h", "--user", " Alice van Dijk ")
    assert status == 0
    assert [claim.user for claim in site.held()] == ["Alice van Dijk"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["web-1"], "until when? give --until 17:00 or --for 2h"),
        (["--note", "x"], "until when?"),
        (["web-1", "--until", "soon"], "--until soon: is no time"),
        (["web-1", "--for", "31d"], "more than 30 days"),
        (["web-1", "--for", "1h", "--until", "17:00"], "not allowed with argument"),
        (["web-1", "--for", "1h", "--note", "x" * 201], "at most 200 characters (these are 201)"),
        (["web-1", "--for", "1h", "--note", "a\nb"], "must be without control characters"),
        (["web-1", "--for", "1h", "--note", "\u202eabc"], "must be without control characters"),
        (["web-1", "--for", "1h", "--note", "\udcff"], "must be without control characters"),
        (["web 1", "--for", "1h"], "must be without blanks and control characters"),
        (["\x1b[1m", "--for", "1h"], "must be without blanks and control characters"),
        (["", "--for", "1h"], "HOST: must not be empty"),
        (["x" * 254, "--for", "1h"], "at most 253 characters"),
        (["web-1", "--for", "1h", "--user", " "], "--user: must not be empty"),
        (["web-1", "--for", "1h", "--user", "a\tb"], "must be without control characters"),
        (["--list", "--for", "1h"], "--list and --all only list"),
        (["--all", "--anyway"], "--list and --all only list"),
    ],
)
def test_wrong_use_is_one_line(
    site: Site, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status, out, err = site.call("claim", *words)
    except SystemExit as end:
        status, (out, err) = int(end.code or 0), capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert said in err and "\x1b" not in err
    assert site.held() == []


def test_a_note_of_200_characters_is_kept_whole(site: Site) -> None:
    note = "部署" * 100
    assert note in site.call("claim", "web-1", "--for", "1h", "--note", note)[1]
    assert site.held()[0].note == note


def test_while_the_monitor_is_down_it_is_made_and_says_so(site: Site) -> None:
    config = str(site.folder / "config.yaml")
    assert main(["--config", config, "claim", "web-1", "--for", "1h"]) == 0
    assert site.capsys.readouterr().err == NOT_RUNNING
    assert len(site.held()) == 1
    assert sorted(path.name for path in site.state.iterdir()) == ["state.db"]


@pytest.mark.parametrize("words", [["claim"], ["claim", "--for", "1h"], ["release"]])
def test_without_a_state_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{dir: {tmp_path / 'state'}}}")
    assert main(["--config", str(config), *words]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1) and "there is no state yet: start the monitor" in err
    assert not (tmp_path / "state").exists()


def test_the_state_of_an_older_version_is_left_as_it_is(site: Site) -> None:
    site.write(lambda one: one.execute("DROP TABLE claim") and one.execute("PRAGMA user_version=7"))
    assert site.call("claim")[:2] == (0, "no claims\n")
    for words in (["claim", "web-1", "--for", "1h"], ["release", "web-1"]):
        status, out, err = site.call(*words)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert (
            "is the state of an older version, without claims: start the monitor once more" in err
        )
    assert site.call("who")[:2] == (0, "nobody is on\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to play other users")
@pytest.mark.parametrize("default", [False, True])
def test_who_may_only_read_the_state_is_told_to_use_sudo(tmp_path: Path, default: bool) -> None:
    """A member of the service's group; and somebody else, who cannot even look into the system's
    own state and has none."""
    let_in(tmp_path)
    folder = tmp_path / "state"
    folder.mkdir()
    open_state(folder).close()
    os.chown(folder, 2000, 2001)
    folder.chmod(0o750 if default else 0o770)
    os.chown(folder / "state.db", 2000, 2001)
    (folder / "state.db").chmod(0o640)
    config = tmp_path / "config.yaml"
    config.write_text(f"state: {{dir: {folder}}}")
    config.chmod(0o644)
    code = (
        "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(2002)\n"
        "from usersessionmon.cli.main import main; from usersessionmon.store import place\n"
        "if sys.argv[2] == 'default': place.DEFAULT_DIR = sys.argv[4]\n"
        "sys.exit(main(['--config', *sys.argv[3:4], *sys.argv[5:]]))"
    )
    for words in (["claim", "web-1", "--for", "1h"], ["release", "web-1"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "2002" if default else "2001",
             "default" if default else "", str(config), str(folder), *words],
            capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "none")},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert f"{folder}/state.db: may not be written by this user: use sudo" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["state.db"]


# --- who and status -------------------------------------------------------------------------------


def on(host: str, name: str) -> SessionView:
    return SessionView(
        name, host, "sshd", "carol", "192.0.2.7", 1, "password", None, Moment(1, "then"), None,
        None, None, abnormal=False, inferred=False, state="open", tty=None,
    )  # fmt: skip


def test_who_has_claimed_what_stands_below_who_is_on(site: Site) -> None:
    rows = [on("web-1.example.com", "a"), on("web-2", "b"), on("here-1", "c")]
    site.write(lambda one: state.write_engine(one, {}, {}, rows))
    site.call("claim", "web-1", "--for", "1h", "--note", "v2")
    site.call("claim", "--for", "1h", by="bob")
    status, out, err = site.call("who")
    assert (status, err) == (0, "")
    below = sorted(out.splitlines()[-2:])
    said = [f"{platform.node()} is claimed by bob until ", "web-1 is claimed by alice until "]
    assert all(line.startswith(text) for line, text in zip(below, sorted(said), strict=True))
    found = [json.loads(line) for line in site.call("who", "--json")[1].splitlines()]
    claimed = {one["session"]: one["claim"] for one in found}
    assert len(found) == 3 and claimed["b"] is None
    assert (claimed["a"]["user"], claimed["a"]["note"]) == ("alice", "v2")
    assert claimed["c"]["user"] == "bob", "this host, by the name that the configuration gives it"
    said_by_status = json.loads(site.call("status", "--json")[1])["claims"]
    assert sorted(one["user"] for one in said_by_status) == ["alice", "bob"]


def test_nobody_is_on_and_the_claim_is_told_all_the_same(site: Site) -> None:
    site.call("claim", "web-1", "--for", "1h")
    first, second = site.call("who")[1].splitlines()
    assert first == "nobody is on" and second.startswith("web-1 is claimed by alice until ")


def test_what_is_over_is_shown_nowhere(site: Site) -> None:
    now_us = SystemClock().now_us()
    old = Claim("web-1", "bob", "bob", "", now_us - HOUR, now_us - 1)
    site.write(lambda one: claims.add(one, old))
    assert site.call("who")[1] == "nobody is on\n"
    assert site.listed() == []
    assert site.call("claim", "--all")[1].splitlines()[-1].rstrip().endswith("in time")
    assert site.call("claim", "web-1", "--for", "1h")[0] == 0
