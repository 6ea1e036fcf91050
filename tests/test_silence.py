"""A silent log is an alarm when people come and go, and none when nobody does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from usersessionmon.clock import ManualClock
from usersessionmon.model import Moment, Notice, Record, Severity, Trusted
from usersessionmon.silence import LOOK_SECONDS, SILENT_SECONDS, Silence, Silent

NOW = 1_795_248_930_000_000


def word(silent: Silent, now_us: int) -> Notice:
    title = "over" if silent.over else "silent"
    return Notice("trouble", Severity.ABNORMAL, title, (), str(silent.connections), now_us)


class Host:
    """The monitor's loop, who is connected, and what the log says."""

    def __init__(self, *connections: str) -> None:
        self.clock = ManualClock(NOW)
        self.now: frozenset[str] | None = frozenset(connections)
        self.silence = Silence({"web-1"}, self.clock, lambda: self.now, word)
        self.told: list[str] = []
        self.digests: list[str] = []

    def line(
        self, program: str = "sshd", host: str | None = "web-1", uid: int | None = None
    ) -> None:
        trusted = None if uid is None else Trusted("syslog", uid)
        record = Record(Moment(NOW, ""), host, program, 1, "x", trusted=trusted)
        self._tell(self.silence.listen([record]))

    def passes(self, seconds: float = SILENT_SECONDS + 2 * LOOK_SECONDS) -> None:
        for _ in range(int(seconds)):
            self._tell(self.silence.look())
            self.clock.advance(1)

    def _tell(self, notices: Sequence[Notice]) -> None:
        self.told += [notice.title for notice in notices]
        self.digests += [notice.digest for notice in notices]


def test_a_connection_that_no_line_tells_of_is_an_alarm_once_until_it_speaks() -> None:
    host = Host("a")
    host.passes(100)
    host.now = frozenset("ab")
    host.passes(SILENT_SECONDS)
    assert host.told == []
    host.passes()
    assert (host.told, host.digests) == (["silent"], ["1"])
    host.now = frozenset("abc")
    host.passes()
    assert host.told == ["silent"]
    host.line()
    assert host.told == ["silent", "over"]
    host.passes()
    assert host.told == ["silent", "over"]
    host.now = frozenset("abcd")
    host.passes()
    assert host.told == ["silent", "over", "silent"]


def test_an_idle_host_with_long_sessions_is_quiet() -> None:
    host = Host("a", "b")
    host.line()
    host.passes(86_400)
    host.now = frozenset("a")  # one leaves: sshd's line may be of any form, or none
    host.passes(86_400)
    assert host.told == []


@pytest.mark.parametrize("delay", [1, 29, 200, 299])
def test_a_line_in_time_explains_what_is_new(delay: int) -> None:
    host = Host()
    host.passes(100)
    host.now = frozenset("a")
    host.passes(delay)
    host.line()
    host.passes(86_400)
    assert host.told == []


@pytest.mark.parametrize("before", range(1, 32, 3))
def test_a_line_read_before_the_connection_is_looked_at_explains_it(before: int) -> None:
    host = Host()
    host.passes(100 + before)
    host.now = frozenset("a")
    host.line()
    host.passes(86_400)
    assert host.told == []


def test_who_was_on_for_a_while_and_left_counts() -> None:
    host = Host()
    host.passes(100)
    host.now = frozenset("a")
    host.passes(2 * LOOK_SECONDS)
    host.now = frozenset()
    host.passes()
    assert host.told == ["silent"]


def test_probes_do_not_count() -> None:
    """A load balancer's connection lives for a moment, and with LogLevel ERROR leaves no line."""
    host = Host()
    for number in range(100):
        host.now = frozenset({f"probe{number}"})
        host.passes(LOOK_SECONDS)
    host.now = frozenset()
    host.passes()
    assert host.told == []


def test_what_cannot_be_seen_is_no_alarm() -> None:
    host = Host()
    host.now = None
    host.passes()
    host.now = frozenset("a")  # there is a beginning again
    host.passes()
    assert host.told == []


def test_only_sshds_lines_of_this_host_speak() -> None:
    host = Host()
    host.line("sshd-session")
    host.passes(100)
    host.now = frozenset("a")
    for _ in range(10):
        host.passes(60)
        host.line("sudo")
        host.line("sshd", host="web-2")
        host.line("sshd", uid=1000)  # anybody can write in sshd's name
    assert host.told == ["silent"]
    host.line("sshd", uid=0)
    assert host.told == ["silent", "over"]


def test_a_log_that_knows_this_host_by_no_name_of_its_own_speaks() -> None:
    host = Host()
    host.passes(100)
    host.now = frozenset("a")
    host.passes(60)
    host.line(host="alias")
    host.passes()
    assert host.told == []


def test_a_restart_neither_repeats_nor_forgets() -> None:
    host = Host()
    host.line()
    assert host.silence.save() == {"silent_us": "", "sshd_line_us": str(NOW)}
    host.passes(100)
    host.now = frozenset("a")
    host.passes()
    kept = host.silence.save()
    assert int(kept["silent_us"]) > NOW
    again = Host("a")
    again.silence.load(kept)
    again.passes(100)
    again.now = frozenset("ab")
    again.passes()
    assert again.told == []
    again.line()
    assert again.told == ["over"]
    strange = Host()
    strange.silence.load({"silent_us": "x", "sshd_line_us": "-1"})
    assert strange.silence.save() == {"silent_us": "", "sshd_line_us": ""}
