"""`outbox`: what waits is seen, tried again and given up, beside the monitor."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from usersessionmon.cli.main import main
from usersessionmon.clock import SystemClock
from usersessionmon.model import Notice, Severity
from usersessionmon.notify.base import Answer, ChannelState, Posted
from usersessionmon.store import db, outbox
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import locked, open_state

Capture = pytest.CaptureFixture[str]
NOW = SystemClock().now_us()


class Site:
    def __init__(self, folder: Path, capsys: Capture) -> None:
        self.state = folder / "state"
        self._capsys = capsys
        self._config = folder / "config.yaml"
        self._config.write_text(
            f"state: {{dir: {self.state}}}\ntimezone: UTC\n"
            "feishu: {webhook_url: 'https://example.org/y'}\n"
            "channels: {ops: {type: webhook, url: 'https://example.org/x'}}\n"
        )

    def make(self, notices: int = 3, refused: Sequence[int] = (2,)) -> None:
        """Notices from 1 on wait for `feishu`; some are refused."""
        self.state.mkdir()
        posted = [
            Posted(
                Notice(
                    "login",
                    Severity.ROUTINE,
                    "用户登录通知",
                    (("用户名", f"u{number}"), ("IP地址", "-")),
                    f"2026-11-21 08:15:30 登录 u{number} \x1b[31m - web-1",
                    NOW,
                ),
                ("feishu",),
            )
            for number in range(1, notices + 1)
        ]
        self.write(lambda one: outbox.enqueue(one, posted, NOW - 90_000_000))
        with closing(SqliteOutbox(self.state / db.FILE_NAME)) as box:
            box.set_plain("feishu", refused)
            box.set_aside("feishu", refused, NOW, "code 19002: \x1b[1mno")

    def write(self, what: Callable[[Any], object]) -> None:
        with closing(open_state(self.state)) as connection, db.transaction(connection):
            what(connection)

    def call(self, *words: str) -> tuple[int, str, str]:
        code = main(["--config", str(self._config), "outbox", *words])
        out, err = self._capsys.readouterr()
        return code, out, err

    def listed(self, *words: str) -> list[dict[str, Any]]:
        code, out, _ = self.call("list", "--json", *words)
        assert code == 0
        return [json.loads(line) for line in out.splitlines()]

    def nudged(self) -> int | None:
        with closing(SqliteOutbox(self.state / db.FILE_NAME)) as box:
            return box.errand("feishu").nudged_us


@pytest.fixture
def site(tmp_path: Path, capsys: Capture) -> Site:
    return Site(tmp_path, capsys)


@pytest.mark.parametrize("words", [["list"], ["retry", "--all"], ["drop", "--all", "--yes"]])
def test_without_a_state_it_says_so(site: Site, words: list[str]) -> None:
    code, out, err = site.call(*words)
    assert (code, out) == (1, "")
    assert "there is no state yet" in err and len(err.splitlines()) == 1
    assert not site.state.exists(), "nothing is made"


def test_the_list_for_people_is_harmless(site: Site) -> None:
    site.make()
    code, out, _ = site.call("list")
    assert code == 0 and "\x1b" not in out
    head, _, first, second, third, answers = out.splitlines()
    assert " ".join(head.split()) == "number channel age state notice said severity kind"
    assert first.split()[:4] == ["1", "feishu", first.split()[2], "waits"]
    assert "登录 u2" in second and "refused" in second and "code 19002" in second
    assert "登录 u3" in third
    assert answers.startswith("feishu: 1 refused: code 19002")
    _, out, _ = site.call("list", "--failed")
    assert len(out.splitlines()) == 4 and "u2" in out


def test_the_list_for_programs(site: Site) -> None:
    site.make()
    first, second, _ = site.listed()
    assert (first["number"], first["channel"], first["state"]) == (1, "feishu", "waits")
    assert first["age"] >= 90 and first["said"] is None and first["refused"] is None
    assert (second["state"], second["plain"], second["kind"]) == ("refused", True, "login")
    assert second["said"] == "code 19002: \x1b[1mno" and second["severity"] == "routine"
    assert second["notice"].endswith("web-1") and second["title"] == "用户登录通知"
    assert [one["number"] for one in site.listed("--failed")] == [2]
    assert [one["number"] for one in site.listed("--limit", "2")] == [1, 2]
    assert site.listed("--channel", "ops") == []
    assert site.call("list", "--limit", "1")[1].splitlines()[-1] == "… and 2 more"


def test_held_ones_say_until_when(site: Site) -> None:
    site.make(1, ())
    notice = Notice("login", Severity.ROUTINE, "通知", (), "line", NOW)
    later = NOW + 3_600_000_000
    held = Posted(notice, ("feishu",), later, "night")
    site.write(lambda one: outbox.enqueue(one, [held], NOW))
    found = site.listed()[1]
    assert (found["state"], found["bundle"]) == ("held", "night")
    assert found["held_until"].endswith("+00:00")


def test_why_a_channel_waits_stands_below(site: Site) -> None:
    site.make()
    state = ChannelState(Answer.CONFIGURATION, "code 19007: off", 3, retry_us=NOW + 600_000_000)
    with closing(SqliteOutbox(site.state / db.FILE_NAME)) as box:
        box.save_state("feishu", state)
    last = site.call("list")[1].splitlines()[-1]
    assert last.startswith("feishu: configuration: code 19007: off; tried again in 00:0")


def test_nothing_there(site: Site) -> None:
    site.make(0, ())
    assert site.call("list")[:2] == (0, "nothing waits\n")
    assert site.call("list", "--failed")[1] == "nothing was refused\n"


def test_what_was_refused_is_tried_again_by_number(site: Site) -> None:
    site.make(4, (2, 3))
    code, out, _ = site.call("retry", "2")
    assert code == 0 and "1 notice that had been refused is tried again" in out
    assert "when the monitor runs" in out
    found = {one["number"]: one for one in site.listed()}
    assert [one["state"] for one in found.values()] == ["waits", "waits", "refused", "waits"]
    assert found[2]["plain"] and found[2]["said"] is None, "its card was refused: text again"
    assert site.nudged() is not None


def test_all_are_tried_again_while_the_monitor_runs(site: Site) -> None:
    site.make(4, (2, 3))
    with locked(site.state):
        code, out, _ = site.call("retry", "--all", "--channel", "feishu")
    assert code == 0 and "2 notices that had been refused are tried again" in out
    assert "feishu: tried within 15 s" in out
    assert not site.listed("--failed")


def test_a_channel_alone_is_tried(site: Site) -> None:
    site.make()
    code, out, _ = site.call("retry", "--channel", "feishu")
    assert (code, len(out.splitlines())) == (0, 1)
    assert [one["number"] for one in site.listed("--failed")] == [2]
    assert site.nudged() is not None


def test_given_up_by_number(site: Site) -> None:
    site.make()
    assert site.call("drop", "1", "2")[:2] == (0, "2 notices dropped\n")
    assert [one["number"] for one in site.listed()] == [3]


def test_all_are_given_up_only_when_it_is_meant(site: Site) -> None:
    site.make()
    code, out, err = site.call("drop", "--all")
    assert (code, out) == (2, "") and "would drop 3 notices for good: add --yes" in err
    assert len(site.listed()) == 3
    assert site.call("drop", "--all", "--failed", "--yes")[:2] == (0, "1 notice dropped\n")
    assert site.call("drop", "--all", "--yes", "--channel", "ops")[1] == "0 notices dropped\n"
    assert site.call("drop", "--all", "--yes")[1] == "2 notices dropped\n"
    assert site.listed() == []


@pytest.mark.parametrize("action", ["retry", "drop"])
def test_numbers_that_are_not_there(site: Site, action: str) -> None:
    site.make()
    code, out, err = site.call(action, "2", "77", "78")
    assert (code, out) == (1, "")
    assert "there is no notice 77, 78 in the outbox: nothing was done" in err
    assert [one["state"] for one in site.listed()] == ["waits", "refused", "waits"]
    code, _, err = site.call(action, "2", "--channel", "ops")
    assert code == 1 and "there is no notice 2 for ops" in err
    assert site.nudged() is None


def test_only_the_refused_by_number(site: Site) -> None:
    site.make()
    code, _, err = site.call("drop", "1", "--failed")
    assert code == 1 and "among those that were refused" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--channel", "feshu"], "there is no such channel (did you mean feishu?)"),
        (["retry", "--channel", "x\x1b"], "there is no such channel"),
        (["retry"], "give numbers, --all, or --channel NAME"),
        (["drop"], "give numbers"),
        (["drop", "1", "--all"], "not both"),
        (["list", "--limit", "0"], "must be 1 or more"),
    ],
)
def test_wrong_use_is_one_line(site: Site, words: list[str], said: str) -> None:
    site.make()
    code, out, err = site.call(*words)
    assert (code, out) == (2, "") and said in err and "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_reading_never_waits_for_the_writer(site: Site) -> None:
    site.make()
    with closing(open_state(site.state)) as connection, db.transaction(connection):
        assert len(site.listed()) == 3


def test_a_busy_state_is_one_line(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.make()
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.05)
    with closing(open_state(site.state)) as connection, db.transaction(connection):
        code, out, err = site.call("drop", "1")
    assert (code, out, len(err.splitlines())) == (1, "", 1) and "locked" in err
    assert len(site.listed()) == 3


def test_nothing_is_promised_for_a_channel_that_is_not_configured_any_more(site: Site) -> None:
    site.make(1, ())
    notice = Notice("login", Severity.ROUTINE, "通知", (), "", NOW)
    site.write(lambda one: outbox.enqueue(one, [Posted(notice, ["former"])], NOW))
    said = "former: not configured any more: nothing is sent there"
    assert site.call("list")[1].splitlines()[-1] == said
    out = site.call("retry", "--all")[1].splitlines()
    assert out[1:] == [said, "feishu: tried when the monitor runs"]
