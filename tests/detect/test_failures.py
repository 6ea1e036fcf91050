"""Many failures are one notice at the beginning and one with the sum at the end."""

from __future__ import annotations

import random

from usersessionmon.detect.settings import DetectSettings, FailureSettings, SweepSettings
from usersessionmon.model import Scope

from .people import HOUR, MINUTE, MORNING, SECOND, bouts, failed, login, see, short, watch


def address(number: int) -> str:
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def test_many_from_one_address_are_two_notices() -> None:
    taken = watch()
    told = bouts(taken, [failed(n * SECOND, user=f"u{n % 3}") for n in range(200)])
    assert short(told) == ["address begins 10"]
    (begun,) = told
    assert (begun.subject, begun.names, begun.minutes) == (
        "198.51.100.7",
        ("u0", "u1", "u2"),
        10,
    )
    (over,) = bouts(taken, [login(2 * HOUR)])
    assert (over.scope, over.over, over.times, over.minutes) == (Scope.ADDRESS, True, 200, 30)
    assert over.last_us - over.began_us == 199 * SECOND
    assert over.at_us - over.last_us == 30 * MINUTE
    assert bouts(taken, [login(4 * HOUR)]) == []


def test_few_or_slow_failures_are_none() -> None:
    assert bouts(watch(), [failed(n * SECOND) for n in range(9)]) == []
    assert bouts(watch(), [failed(n * 2 * MINUTE) for n in range(100)]) == []


def test_one_line_may_stand_for_many() -> None:
    assert short(bouts(watch(), [failed(0, times=10)])) == ["address begins 10"]


def test_many_addresses_on_one_account_are_told_of_the_account() -> None:
    told = bouts(watch(), [failed(n * SECOND, ip=address(n), user="root") for n in range(150)])
    assert short(told) == ["account begins 10"]
    assert (told[0].subject, told[0].names[0]) == ("root", "10.0.0.0")


def test_an_account_that_does_not_exist_is_none() -> None:
    taken = watch()
    lines = [failed(n * SECOND, ip=address(n), user="oracle", valid_user=False) for n in range(99)]
    assert bouts(taken, lines) == []
    begun = bouts(taken, [failed(100 * SECOND, user="oracle", valid_user=False)])
    assert short(begun) == ["host begins 100"]


def test_ipv6_clients_count_by_their_network() -> None:
    told = bouts(watch(), [failed(n, ip=f"2001:db8::{n:x}", user=None) for n in range(10)])
    assert [bout.subject for bout in told] == ["2001:db8::/64"]


def test_hosts_of_one_log_are_kept_apart() -> None:
    lines = [failed(n * SECOND, host=f"h{n % 2}", user=None) for n in range(20)]
    assert [bout.host for bout in bouts(watch(), lines)] == ["h0", "h1"]


def test_names_that_do_not_exist_are_a_sweep_and_no_second_notice() -> None:
    taken = watch()
    lines = [failed(n * SECOND, user=f"u{n // 2}", valid_user=False) for n in range(60)]
    lines += [failed(MINUTE + n * SECOND, user="root", valid_user=True) for n in range(40)]
    told = bouts(taken, lines)
    assert short(told) == ["sweep begins 9"]
    assert told[0].names == ("u0", "u1", "u2", "u3", "u4")
    (over,) = bouts(taken, [login(2 * HOUR)])
    assert (over.times, len(over.names)) == (100, 31)


def test_an_address_that_is_told_of_begins_no_sweep() -> None:
    lines = [failed(n * SECOND) for n in range(10)]
    lines += [failed(MINUTE + n, user=f"u{n}", valid_user=False) for n in range(10)]
    assert short(bouts(watch(), lines)) == ["address begins 10"]


def test_off_is_off() -> None:
    off = DetectSettings(
        failures=FailureSettings(enabled=False), sweep=SweepSettings(enabled=False)
    )
    taken = watch(off)
    assert bouts(taken, [failed(n, user=f"u{n}", valid_user=False) for n in range(500)]) == []
    sweeps = watch(DetectSettings(failures=FailureSettings(enabled=False)))
    lines = [failed(n, user=f"u{n}", valid_user=False) for n in range(500)]
    assert short(bouts(sweeps, lines)) == ["sweep begins 5"]


def test_few_are_told_of_by_themselves_then_it_is_the_host() -> None:
    taken = watch()
    lines = [failed(n * SECOND, ip=address(n // 10), user=f"u{n}") for n in range(30)]
    told = bouts(taken, lines)
    assert short(told) == ["address begins 10", "address begins 10", "host begins 30"]
    assert told[2].names == ("10.0.0.0", "10.0.0.1", "10.0.0.2")
    assert (told[2].subject, told[2].began_us, told[2].last_us) == (
        "",
        MORNING,
        MORNING + 29 * SECOND,
    )
    later = [failed(MINUTE + n * SECOND, ip=address(n), user="root") for n in range(90)]
    assert bouts(taken, later) == []
    (over,) = bouts(taken, [login(2 * HOUR)])
    assert (over.scope, over.times, len(over.names), over.more) == (Scope.HOST, 120, 50, True)


def test_whose_bout_is_merged_has_no_end_of_its_own() -> None:
    taken = watch()
    lines = [failed(n * SECOND, ip=address(n), user="root") for n in range(20)]
    lines += [failed(n * SECOND, ip=address(999), user=f"u{n}", valid_user=False)
              for n in range(20, 30)]  # fmt: skip
    lines += [failed(n * SECOND, ip=address(n), user=None) for n in range(30, 130)]
    told = bouts(taken, lines)
    assert short(told) == ["account begins 10", "sweep begins 5", "host begins 130"]
    assert told[2].names[:21] == (*(address(n) for n in range(20)), address(999))
    assert short(taken.tick(0) + taken.tick(1800)) == ["host over 130"]


def test_sweeps_are_among_those_few() -> None:
    settings = DetectSettings(sweep=SweepSettings(most=1))
    lines = [failed(n * SECOND, ip=address(n // 5), user=f"u{n}", valid_user=False)
             for n in range(10)]  # fmt: skip
    assert short(bouts(watch(settings), lines)) == ["sweep begins 5", "host begins 10"]
    assert short(bouts(watch(), lines)) == ["sweep begins 5"] * 2
    only = DetectSettings(
        failures=FailureSettings(enabled=False, most=1), sweep=SweepSettings(most=2)
    )
    lines += [failed(n * SECOND, ip=address(n // 5), user=f"u{n}", valid_user=False)
              for n in range(10, 15)]  # fmt: skip
    taken = watch(only)
    assert short(bouts(taken, lines)) == ["sweep begins 5"] * 2


def test_that_there_were_more_names_is_not_forgotten_by_the_host() -> None:
    lines = [failed(n * 1000, ip=address(n), user="root") for n in range(60)]
    lines += [failed(SECOND + n, ip=address(n % 10), user=f"u{n // 10}") for n in range(20)]
    begun = bouts(watch(), lines)
    assert short(begun) == ["account begins 10", "account begins 10", "host begins 80"]
    assert (len(begun[2].names), begun[2].more) == (50, True)


def test_a_slow_sweep_that_is_one_too_many_is_in_the_hosts_sum() -> None:
    """It looks further back than the host does."""
    settings = DetectSettings(sweep=SweepSettings(minutes=600, most=1))
    lines = [failed(n * HOUR, user=f"u{n}", valid_user=False) for n in range(4)]
    lines += [failed(3 * HOUR + n, ip=address(1), user="x", valid_user=True) for n in range(7)]
    late = 4 * HOUR
    lines += [failed(late + n, ip=address(2), user=f"u{n}", valid_user=False) for n in range(5)]
    lines += [failed(late + 5, ip=address(3)), failed(late + 6, user="u4", valid_user=False)]
    begun = bouts(watch(settings), lines)
    assert short(begun) == ["sweep begins 5", "host begins 11"]
    assert begun[1].began_us == MORNING


def test_one_failure_is_in_one_sum() -> None:
    """Those before an address became many are not those of the account, nor of the host."""
    taken = watch()
    lines = [failed(n * SECOND, user="root") for n in range(10)]
    lines += [failed(MINUTE + n * SECOND, ip=address(n), user="root") for n in range(9)]
    assert short(bouts(taken, lines)) == ["address begins 10"]
    assert short(bouts(taken, [failed(2 * MINUTE, ip=address(9), user="root")])) == [
        "account begins 10"
    ]
    assert short(bouts(taken, [login(2 * HOUR)])) == ["address over 10", "account over 10"]


def test_time_that_passes_ends_it_when_no_line_does() -> None:
    taken = watch()
    see(taken, [failed(n) for n in range(10)])
    assert taken.patience(100.0) == 1800
    assert taken.tick(100.0) == []
    see(taken, [failed(MINUTE)])
    assert taken.tick(200.0) == []
    assert taken.patience(500.0) == 1500
    assert taken.tick(1999.0) == []
    assert short(taken.tick(2000.0)) == ["address over 11"]
    assert taken.patience(2000.0) is None


def test_a_clock_that_is_set_back_does_not_keep_it_open() -> None:
    taken = watch()
    see(taken, [failed(48 * HOUR + n) for n in range(10)])
    assert bouts(taken, [login(0)]) == []
    assert short(bouts(taken, [login(HOUR)])) == ["address over 10"]


def test_a_hundred_thousand_failures_from_as_many_addresses_are_bounded() -> None:
    taken = watch()
    numbers = list(range(100_000))
    random.Random(1).shuffle(numbers)
    told = []
    for at, number in enumerate(numbers):
        change = failed(at * 1000, ip=address(number), user=f"u{number}", valid_user=None)
        told += [*(seen := taken.see(change)).over, *seen.begun]
        if at % 1000 == 999:
            assert len(taken.drain()) < 20_000
    assert short(told) == ["host begins 100"]
    sizes = dict(taken.sizes())
    assert max(sizes.values()) <= 4096
    assert sum(sizes.values()) <= 4096 + 10
    assert short(bouts(taken, [login(HOUR)])) == ["host over 100000"]


def test_a_host_that_is_always_attacked_is_told_once_a_day() -> None:
    taken = watch()
    told = bouts(taken, [failed(n * MINUTE) for n in range(3 * 24 * 60)])
    assert [(bout.over, bout.day) for bout in told] == [
        (False, False),
        (False, True),
        (False, True),
    ]
    (over,) = bouts(taken, [login(80 * HOUR)])
    sums = [told[1].times, told[2].times, over.times]
    assert over.over and sum(sums) == 3 * 24 * 60 and min(sums) > 1000
    assert told[2].began_us == told[1].last_us
