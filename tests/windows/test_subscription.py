"""One server's state machine against a double of pywin32: each error's treatment."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.windows.fake_win32 import ZERO, World, event, fill
from tests.windows.support import BOTH, HOUR, MINUTE, RDS, Watched, failing, fake, of
from usersessionmon.windows.channels import LSM, OPENSSH, SECURITY, SYSTEM
from usersessionmon.windows.settings import WindowsServer
from usersessionmon.windows.standing import State, Status


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[World]:
    with fake(monkeypatch, caplog) as made:
        made.host("rds-1", *BOTH)
        yield made


def logins(world: World, *numbers: int, host: str = "rds-1") -> None:
    fill(world.hosts[host].channels[LSM], [event(LSM, number) for number in numbers])


def test_what_comes_after_the_beginning_is_read_and_nothing_of_before(world: World) -> None:
    logins(world, 1, 2)
    with Watched() as watched:
        watched.step()
        logins(world, 3, 4)
        watched.step()
        assert watched.basket.records() == [(LSM, 3), (LSM, 4)]
        assert watched.now().state is State.LIVE
        assert watched.basket.marks()[LSM].record_id == 4


def test_from_the_start_is_all_that_there_is(world: World) -> None:
    logins(world, 1, 2)
    with Watched(from_start=True) as watched:
        watched.step()
        assert watched.basket.records() == [(LSM, 1), (LSM, 2)]


def test_the_place_is_there_before_anything_happens(world: World) -> None:
    """Else what comes while the monitor is down would be lost."""
    logins(world, 1, 2)
    with Watched() as watched:
        watched.step()
        marks = watched.basket.marks()
    logins(world, 3)
    with Watched(marks=marks) as watched:
        watched.step()
        assert watched.basket.records() == [(LSM, 3)]


def test_the_place_is_there_although_the_subscription_fails_at_first(world: World) -> None:
    logins(world, 1, 2)
    with Watched() as watched:
        world.trouble = failing(5, "EvtSubscribe", path=LSM)
        watched.step()
        assert watched.basket.marks()[LSM].record_id == 2
        logins(world, 3)
        watched.step(300.0)
        assert watched.basket.records() == [(LSM, 3)]


def test_a_record_knows_which_channels_are_read_beside_it(world: World) -> None:
    world.host("rds-2", LSM)
    both = WindowsServer("rds-2", channels=("LSM", "OpenSSH"))
    for wanted, beside in ((RDS, {LSM, SECURITY}), (both, {LSM})):
        with Watched(wanted) as watched:
            watched.step()
            logins(world, 1, host=wanted.host)
            watched.step()
            record = watched.basket.taken[-1].record
            assert record is not None and record.windows is not None
            assert record.windows.beside == beside and record.windows.origin == wanted.host


def test_more_than_a_batch_is_read_in_one_go_and_a_full_sink_is_left_alone(world: World) -> None:
    with Watched() as watched:
        watched.basket.size = 100
        watched.step()
        logins(world, *range(1, 201))
        watched.step()
        assert watched.held() and watched.basket.room() < 32
        watched.basket.size = 1000
        watched.step()
        assert not watched.held()
        assert of(watched.basket.records(), LSM) == list(range(1, 201))


def test_lost_wake_ups_are_made_good_within_a_minute(world: World) -> None:
    with Watched() as watched:
        assert watched.step() <= MINUTE
        assert watched.step() <= MINUTE


@pytest.mark.parametrize("code", [4317, 259, 1460])
def test_nothing_there_is_no_error(world: World, code: int) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1)
        world.trouble = failing(code, "EvtNext", times=2)
        watched.step()
        assert watched.now().state is State.LIVE and not watched.basket.notes
        assert watched.basket.records() == []
        watched.step(MINUTE)
        assert watched.basket.records() == [(LSM, 1)]


@pytest.mark.parametrize("code", [6, 15011])
def test_a_spent_subscription_is_renewed_at_once(world: World, code: int) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2, 3)
        world.trouble = failing(code, "EvtNext", path=LSM)
        watched.step()
        assert watched.basket.records() == [(LSM, 1), (LSM, 2), (LSM, 3)]
        assert watched.now().state is State.LIVE and not watched.basket.notes


def test_a_subscription_that_dies_again_and_again_is_no_endless_loop(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1)
        world.trouble = failing(15011, "EvtNext", times=1_000_000)
        assert watched.step() == 1.0
        assert watched.now().state is State.BACK_OFF
        world.trouble = failing(0, "")
        watched.step(1.0)
        assert watched.basket.records() == [(LSM, 1)]


@pytest.mark.parametrize("most", [16, 5, 1])
def test_a_host_that_cannot_send_as_much_is_asked_for_less(world: World, most: int) -> None:
    world.hosts["rds-1"].bound = most
    with Watched() as watched:
        watched.step()
        logins(world, *range(1, 101))
        watched.step()
        assert of(watched.basket.records(), LSM) == list(range(1, 101))
        assert watched.now().state is State.LIVE


def test_an_event_too_large_by_itself_is_tried_later(world: World) -> None:
    world.hosts["rds-1"].bound = 0
    with Watched() as watched:
        watched.step()
        logins(world, 1)
        watched.step()
        assert watched.now().state is State.BACK_OFF
        assert "larger than the host may send" in watched.now().error


def test_denied_is_told_once_with_the_way_out_and_tried_every_five_minutes(world: World) -> None:
    world.hosts["rds-1"].channels[SECURITY].denied = 5
    with Watched() as watched:
        for _ in range(4):
            assert watched.step(300.0) <= MINUTE
        [note] = watched.basket.notes
        assert "server rds-1" in note and "Security" in note and "S-1-5-32-573" in note
        state = watched.now()
        assert state.state is State.DENIED and "S-1-5-32-573" in state.error
        assert {one.channel: one.status for one in state.channels} == {
            SECURITY: Status.DENIED,
            LSM: Status.FOLLOWED,
        }
        asked = len(world.asked)
        watched.step(299.0)
        assert len(world.asked) == asked
        world.hosts["rds-1"].channels[SECURITY].denied = 0
        watched.step(1.0)
        assert watched.now().state is State.LIVE and watched.now().error == ""


def test_the_other_channels_go_on_while_one_is_denied(world: World) -> None:
    with Watched() as watched:
        watched.step()
        world.trouble = failing(5, "EvtNext", path=SECURITY)
        logins(world, 1)
        watched.step()
        assert watched.basket.records() == [(LSM, 1)]
        assert watched.now().state is State.DENIED


@pytest.mark.parametrize("code", [1326, 1327, 1328, 1329, 1330, 1331, 1385, 1793, 1907, 1909])
def test_a_refused_account_is_not_tried_again(world: World, code: int) -> None:
    world.hosts["rds-1"].down = code
    with Watched() as watched:
        watched.step()
        asked = len(world.sessions)
        for _ in range(3):
            assert watched.step(HOUR) >= HOUR
        assert len(world.sessions) == asked == 1
        assert watched.now().state is State.REFUSED
        [note] = watched.basket.notes
        assert str(code) in note and "not tried again" in note
        assert "cannot be read" not in note


@pytest.mark.parametrize("code", [53, 1722, 1723, 1726, 1727, 1753, 1825, 1223, 1818, 0, 31337])
def test_a_host_out_of_reach_is_tried_later_and_later(world: World, code: int) -> None:
    world.hosts["rds-1"].down = code or 1722
    with Watched() as watched:
        waits = []
        for _ in range(12):
            waits.append(watched.step())
            watched.clock.advance(waits[-1])
        assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        state = watched.now()
        assert state.state is State.BACK_OFF and state.since_us == 0
        assert len(watched.basket.notes) == 1
        world.hosts["rds-1"].down = 0
        watched.step()
        assert watched.now().state is State.LIVE
        world.hosts["rds-1"].down = 1722
        assert watched.step() == 1.0, "it begins anew after a success"


def test_servers_that_went_away_together_do_not_come_back_in_one_instant(world: World) -> None:
    world.hosts["rds-1"].down = 1722
    with Watched(random=1.0) as watched:
        assert watched.step() == 1.25
        assert watched.step() == 1.25


def test_nothing_is_lost_while_a_host_is_out_of_reach(world: World) -> None:
    with Watched() as watched:
        watched.step()
        world.hosts["rds-1"].down = 1722
        logins(world, 1, 2)
        watched.step()
        world.hosts["rds-1"].down = 0
        logins(world, 3)
        watched.step(2.0)
        assert of(watched.basket.records(), LSM) == [1, 2, 3]


def test_a_channel_that_is_not_there_is_done_without_and_looked_for_hourly(world: World) -> None:
    wanted = WindowsServer("rds-1", channels=("Security", "OpenSSH"))
    with Watched(wanted) as watched:
        watched.step()
        state = watched.now()
        assert state.state is State.LIVE and state.error == ""
        assert watched.status(OPENSSH) is Status.ABSENT
        [note] = watched.basket.notes
        assert OPENSSH in note and "no such channel" in note
        world.hosts["rds-1"].channels[OPENSSH] = type(world.hosts["rds-1"].channels[SECURITY])()
        watched.step(HOUR - 1)
        assert watched.status(OPENSSH) is Status.ABSENT
        watched.step(1.0)
        assert watched.status(OPENSSH) is Status.FOLLOWED


def test_a_channel_that_is_needed_and_is_not_there_is_no_live_server(world: World) -> None:
    with Watched(WindowsServer("rds-1", channels=("System", "LSM"))) as watched:
        watched.step()
        assert watched.now().state is State.INCOMPLETE
        assert SYSTEM in watched.now().error


@pytest.mark.parametrize("code", [87, 15001, 15009])
def test_a_channel_that_will_not_do_is_left_alone(world: World, code: int) -> None:
    world.hosts["rds-1"].channels[LSM].denied = code
    with Watched() as watched:
        watched.step()
        asked = len(world.asked)
        watched.step(10 * HOUR)
        assert len(world.asked) == asked
        assert watched.status(LSM) is Status.USELESS


def test_overwritten_records_are_told_and_the_rest_is_read(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2)
        watched.step()
        logins(world, *range(3, 20))
        world.hosts["rds-1"].channels[LSM].clear(keep=5)
        watched.step()
        assert of(watched.basket.records(), LSM) == [1, 2, 15, 16, 17, 18, 19]
        [note] = watched.basket.notes
        assert "record 2 of 2026-11-21T08:00:02" in note and "lost" in note


def test_a_log_that_was_cleared_and_counts_anew_is_read(world: World) -> None:
    channel = world.hosts["rds-1"].channels[LSM]
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2, 3)
        watched.step()
        channel.clear()
        fill(channel, [event(LSM, number, second=100 + number) for number in (1, 2, 3, 4)])
        watched.step()
        assert of(watched.basket.records(), LSM) == [1, 2, 3, 1, 2, 3, 4]
        assert len(watched.basket.notes) == 1


def test_a_bookmark_that_windows_will_not_take_repeats_nothing(world: World) -> None:
    """1168 although the event is there: it is no gap, and what is known is not read again."""
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2)
        watched.step()
        logins(world, 3)
        first = failing(15011, "EvtNext", path=LSM)
        second = failing(1168, "EvtSubscribe", path=LSM)
        world.trouble = lambda *called: first(*called) or second(*called)
        watched.step()
        assert of(watched.basket.records(), LSM) == [1, 2, 3]
        assert watched.basket.notes == []


@pytest.mark.parametrize(("channel", "number"), [(SECURITY, 1102), (SYSTEM, 104)])
def test_a_cleared_log_is_a_note(world: World, channel: str, number: int) -> None:
    found = world.host("rds-1", channel).channels[channel]
    with Watched(WindowsServer("rds-1", channels=(channel,))) as watched:
        watched.step()
        one = event(channel, 7, number)
        provider = "Microsoft-Windows-Eventlog"
        fill(found, [one.__class__(7, one.xml.replace("Name='EventLog'", f"Name='{provider}'"))])
        watched.step()
        [note] = watched.basket.notes
        assert "was cleared" in note and channel in note


def test_an_event_that_cannot_be_rendered_is_passed_over(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2, 3)
        world.trouble = failing(15005, "EvtRender", path=LSM, skip=2)
        watched.step()
        assert of(watched.basket.records(), LSM) == [1, 3]
        assert "passed over" in watched.basket.notes[0]


def test_a_damaged_place_of_the_log_is_left_behind_in_the_end(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2)
        world.trouble = failing(1500, "EvtNext", path=LSM, times=9)
        watched.step()
        assert "records are lost" in watched.basket.notes[0]
        logins(world, 3)
        watched.step()
        assert of(watched.basket.records(), LSM) == [3]


def test_credentials_come_from_the_systems_store_and_are_shown_nowhere(world: World) -> None:
    world.hosts["rds-1"].password = "s3cret"
    wanted = WindowsServer("rds-1", credentials="usm")
    with Watched(wanted) as watched:
        assert watched.step() <= 300.0
        assert watched.now().state is State.DENIED
        assert "cmdkey" in watched.now().error
        assert world.sessions == []
        world.credentials["usm"] = ("CORP\\reader", "s3cret".encode("utf-16-le"))
        watched.step(300.0)
        [session] = world.sessions
        assert (session.user, session.domain, session.password) == ("reader", "CORP", "s3cret")
        world.hosts["rds-1"].password = "another"
        world.trouble = failing(1722, "EvtNext")
        watched.step()
        watched.step(2.0)
        assert watched.now().state is State.REFUSED
        assert "s3cret" not in repr((watched.basket.notes, watched.basket.states))


def test_an_event_that_cannot_be_parsed_hurts_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Watched() as watched:
        watched.step()
        broken = event(LSM, 1)
        fill(world.hosts["rds-1"].channels[LSM], [type(broken)(1, "<EventID>21</EventID><")])
        logins(world, 2)
        watched.step()
        assert watched.basket.records() == [(LSM, 2)]


def test_a_host_that_gives_records_is_not_asked_later_and_later(world: World) -> None:
    """Although each of its rounds ends badly."""
    with Watched() as watched:
        watched.step()
        logins(world, *range(1, 201))
        waits = []
        for found in (1, 2, 2, 2, 2):  # whether the last one is still there is asked, too
            world.trouble = failing(1726, "EvtNext", path=LSM, skip=found)
            waits.append(watched.step())
            watched.clock.advance(waits[-1])
        assert waits == [1.0] * 5
        assert len(watched.basket.records()) == 5 * 32


@pytest.mark.parametrize("code", [ZERO, 1460, 31337])
@pytest.mark.parametrize("skip", [0, 1])
def test_rendering_that_fails_oddly_is_tried_again_at_once(
    world: World, code: int, skip: int
) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2, 3)
        world.trouble = failing(code, "EvtRender", path=LSM, times=2, skip=skip)
        watched.step()
        assert of(watched.basket.records(), LSM) == [1, 2, 3]
        assert watched.now().state is State.LIVE and not watched.basket.notes


@pytest.mark.parametrize(("code", "tries"), [(31337, 3), (1722, 1)])
def test_rendering_is_not_tried_for_ever_nor_where_the_host_is_gone(
    world: World, code: int, tries: int
) -> None:
    failed = []

    def trouble(function: str, _host: str, _path: str) -> int:
        if function != "EvtRender":
            return 0
        failed.append(function)
        return code

    with Watched() as watched:
        watched.step()
        logins(world, 1)
        world.trouble = trouble
        watched.step()
        assert watched.now().state is State.BACK_OFF
        assert len(failed) == tries


@pytest.mark.parametrize(
    ("code", "state"),
    [(5, State.DENIED), (15009, State.INCOMPLETE), (15007, State.LIVE)],
)
def test_sessions_that_are_not_to_be_seen_are_trouble(
    world: World, code: int, state: State
) -> None:
    """A host may lack this channel; one that has it must let it be read."""
    world.hosts["rds-1"].channels[LSM].denied = code
    with Watched() as watched:
        watched.step()
        assert watched.now().state is state
        assert (f"{LSM}: " in watched.now().error) == (state is not State.LIVE)
        assert watched.status(SECURITY) is Status.FOLLOWED
        fill(world.hosts["rds-1"].channels[SECURITY], [event(SECURITY, 1, 4634)])
        watched.step()
        assert watched.basket.records() == [(SECURITY, 1)]


@pytest.mark.parametrize("there", [True, False])
def test_a_saved_bookmark_that_is_none_is_a_gap_and_ends_no_channel(
    world: World, there: bool
) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, 1, 2)
        watched.step()
        marks = watched.basket.marks()
    marks[LSM] = marks[LSM]._replace(bookmark="<BookmarkList/>")
    logins(world, 3, 4)
    world.hosts["rds-1"].channels[LSM].clear(keep=4 if there else 1)
    with Watched(marks=marks) as watched:
        watched.step()
        assert of(watched.basket.records(), LSM) == ([3, 4] if there else [4])
        assert len(watched.basket.notes) == (0 if there else 1)
        assert watched.now().state is State.LIVE


def test_a_busy_channel_does_not_keep_the_others_waiting(world: World) -> None:
    with Watched() as watched:
        watched.step()
        logins(world, *range(1, 201))
        busy = [event(SECURITY, number, 4634) for number in range(1, 41)]
        fill(world.hosts["rds-1"].channels[SECURITY], busy)
        watched.step()
        turns = [channel for channel, _ in watched.basket.records()]
        assert turns[:104] == [LSM] * 32 + [SECURITY] * 32 + [LSM] * 32 + [SECURITY] * 8
        assert len(turns) == 240


def test_nor_where_there_is_room_for_one_of_them_only(world: World) -> None:
    """A channel that is never read to its end takes all the room there is."""
    with Watched() as watched:
        watched.step()
        logins(world, *range(1, 201))
        fill(world.hosts["rds-1"].channels[SECURITY], [event(SECURITY, 1, 4634)])
        for _ in range(3):
            watched.basket.taken.clear()
            watched.basket.size = 32
            watched.step()
            assert watched.held()
            if watched.basket.records() == [(SECURITY, 1)]:
                break
        else:
            pytest.fail("it never had its turn")


@pytest.mark.parametrize("code", [1722, 1326, 5])
def test_nothing_is_followed_where_there_is_no_connection(world: World, code: int) -> None:
    with Watched() as watched:
        watched.step()
        assert watched.status(LSM) is Status.FOLLOWED
        world.trouble = failing(1722, "EvtNext")
        watched.step()
        assert watched.now().state is State.BACK_OFF
        world.trouble = failing(code, "EvtOpenSession", times=9)
        watched.step(2.0)
        assert watched.now().state is not State.LIVE
        assert {one.status for one in watched.now().channels} == {Status.PENDING}
        world.trouble = failing(0, "")
        if code != 1326:
            watched.step(300.0)
            assert {one.status for one in watched.now().channels} == {Status.FOLLOWED}
