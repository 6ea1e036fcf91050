"""`status`: what is wrong stands first, and today's hours prove that the log is understood."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.cli.main import main
from usersessionmon.clock import SystemClock
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Answer, ChannelState, Posted
from usersessionmon.store import counts, db, outbox, state
from usersessionmon.store.drops import Policy
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import locked, open_state

Capture = pytest.CaptureFixture[str]
NOW = SystemClock().now_us()


class Site:
    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self._capsys = capsys
        self._config = folder / "config.yaml"
        self._config.write_text(
            f"state: {{dir: {self.state}}}\ntimezone: UTC\n"
            "feishu: {webhook_url: 'https://example.org/x'}\n"
        )

    def write(self, what: Callable[[Any], object]) -> None:
        with closing(open_state(self.state)) as connection, db.transaction(connection):
            state.write_facts(connection, {"saved_us": str(NOW)})
            what(connection)

    def facts(self, **facts: str) -> None:
        self.write(lambda connection: state.write_facts(connection, facts))

    def status(self, *words: str) -> tuple[int, str]:
        code = main(["status", "--config", str(self._config), *words])
        return code, self._capsys.readouterr().out

    def json(self) -> tuple[int, dict[str, Any]]:
        code, text = self.status("--json")
        return code, json.loads(text)


@pytest.fixture
def site(tmp_path: Path, capsys: Capture) -> Site:
    return Site(tmp_path, capsys)


def test_before_it_ever_ran(site: Site) -> None:
    code, data = site.json()
    assert (code, data["running"], data["hours"], data["last_line"]) == (1, False, [], None)
    assert data["trouble"] == ["the monitor is not running: who comes and goes is not seen"]
    assert site.status()[1].startswith("TROUBLE    the monitor is not running")


def test_a_monitor_that_follows_nothing_yet_is_trouble(site: Site) -> None:
    with locked(site.state):
        code, data = site.json()
    assert (code, data["running"]) == (1, True)
    assert data["trouble"] == [
        "the monitor is just beginning: it has not taken its place in the log yet"
    ]


def test_all_is_well(site: Site) -> None:
    site.facts(saved_us=str(NOW), silent_us="", sshd_line_us=str(NOW), forged="3", losses="1")
    site.write(lambda connection: counts.add_hours(connection, {"sshd": 99}, {"sshd": 1}, NOW))
    with locked(site.state):
        code, text = site.status()
        assert (code, site.json()[1]["trouble"]) == (0, [])
    assert text.startswith("monitor    running (pid ")
    assert "forged     3 lines written in a daemon's name by somebody else" in text


def test_a_silent_log_is_said_first(site: Site) -> None:
    site.facts(source="/var/log/auth.log", silent_us=str(NOW), sshd_line_us="1795248930000000")
    with locked(site.state):
        code, text = site.status()
        data = site.json()[1]
    assert code == 1
    assert text.splitlines()[0].startswith(
        "TROUBLE    people come and go on sshd and /var/log/auth.log says nothing since "
        "2026-11-21T08:15:30+00:00"
    )
    assert data["last_sshd_line"] == "2026-11-21T08:15:30+00:00"
    assert data["silent_since"] is not None


@pytest.mark.parametrize(("good", "bad", "code"), [(9, 11, 1), (10, 10, 0), (1, 18, 0)])
def test_a_log_that_is_not_understood(site: Site, good: int, bad: int, code: int) -> None:
    site.write(lambda one: counts.add_hours(one, {"sshd": good}, {"xrdp": bad}, NOW))
    with locked(site.state):
        found, data = site.json()
        _, text = site.status()
    assert found == code
    (hour,) = data["hours"]
    assert (hour["understood"], hour["not_understood"]) == (good, bad)
    assert set(hour["programs"]) == {"sshd", "xrdp"}
    assert f"{good + bad} lines: " in text
    assert f"xrdp {bad} ({bad} not understood)" in text


def test_what_is_not_understood_is_shown_by_shape(site: Site) -> None:
    shapes = [(("sshd", "Odd {word} \x1b[31m"), 7), *((("su", f"{n}"), 1) for n in range(9))]
    site.write(lambda one: counts.add_shapes(one, shapes, NOW))
    with locked(site.state):
        found = site.json()[1]["shapes"]
        _, text = site.status()
    assert found[0] == {"program": "sshd", "shape": "Odd {word} \x1b[31m", "count": 7}
    assert len(found) == 5
    assert "7  sshd: Odd {word}" in text
    assert "\x1b" not in text


def test_only_todays_hours_count(site: Site) -> None:
    site.write(lambda one: counts.add_hours(one, {}, {"sshd": 99}, NOW - 86_400_000_000))
    with locked(site.state):
        assert site.json()[0] == 0
    assert site.json()[1]["hours"] == []


def test_a_line_on_which_the_program_failed(site: Site) -> None:
    site.facts(faults="1")
    with locked(site.state):
        code, data = site.json()
    assert code == 1
    assert "lines on which the program failed: please report them" in data["trouble"][0]


def test_a_notice_that_waits_too_long(site: Site) -> None:
    notice = Notice("login", Severity.ROUTINE, "通知", (), "", NOW)
    for minutes, code in ((30, 0), (90, 1)):
        queued = NOW - minutes * 60_000_000
        site.write(lambda one, at=queued: outbox.enqueue(one, [Posted(notice, ["feishu"])], at))  # type: ignore[misc]
        with locked(site.state):
            found, data = site.json()
            assert found == code, data["trouble"]
    assert data["channels"][0]["waiting"] == 2
    assert data["trouble"][0].startswith("feishu: a notice has been waiting for 01:3")


def test_what_was_dropped_and_what_is_held_is_counted(site: Site) -> None:
    notice = Notice("login", Severity.ROUTINE, "通知", (), "", NOW)
    hours_ago, tomorrow = NOW - 7_200_000_000, NOW + 86_400_000_000
    held = [Posted(notice, ["feishu"], tomorrow, "night")] * 5
    site.write(lambda one: outbox.enqueue(one, held, hours_ago, Policy(3, 0)))
    with locked(site.state):
        code, data = site.json()
        _, text = site.status()
    (channel,) = data["channels"]
    assert (channel["waiting"], channel["held"], channel["dropped_total"]) == (3, 3, 2)
    assert (code, channel["oldest"]) == (0, None), "held on purpose is not stuck"
    assert "3 waiting (3 held on purpose), 0 set aside, 2 dropped in all" in text


def test_what_waits_for_a_channel_that_is_not_configured_any_more(site: Site) -> None:
    notice = Notice("login", Severity.ROUTINE, "通知", (), "", NOW)
    site.write(lambda one: outbox.enqueue(one, [Posted(notice, ["former"])] * 2, NOW))
    with locked(site.state):
        code, data = site.json()
    assert code == 1
    assert data["trouble"] == [
        "former: 2 notices wait, and no such channel is configured any more: configure it again, "
        "or user-session-monitor outbox drop --all --channel former"
    ]
    (channel,) = data["channels"]
    assert (channel["configured"], channel["trouble"]) == (False, True)


def test_how_a_channel_fared_that_is_configured_no_more_is_no_trouble(site: Site) -> None:
    with closing(SqliteOutbox(site.state / db.FILE_NAME)) as box:
        site.write(lambda _: None)
        for name in ("former", "feishu"):
            box.save_state(name, ChannelState(Answer.CONFIGURATION, "code 19001: token"))
    with locked(site.state):
        code, data = site.json()
        _, text = site.status()
    assert data["trouble"] == ["feishu: 0 notices wait: code 19001: token"] and code == 1
    assert "former     0 waiting, 0 set aside, not configured any more\n" in text


def test_its_help_says_what_counts(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["status", "--help"])
    said = capsys.readouterr().out
    assert "Exit status 1" in said
    assert "the log says nothing" in said
