"""Whose the given files are, and in which order they are read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from usersessionmon.windows.channels import LSM, OPENSSH, RCM, RDP_CORE, SECURITY, SYSTEM
from usersessionmon.windows.hosts import MERGED_MOST, Host, Hosts
from usersessionmon.windows.survey import NAMES_MOST, Survey, Surveyed
from usersessionmon.windows.xml import Glance

Row = tuple[str, int, str]


def surveyed(path: str, rows: Sequence[Row], *, own: bool = False) -> Surveyed:
    """Of (channel, record id, computer)."""
    survey = Survey()
    for at, (channel, record_id, computer) in enumerate(rows, start=1):
        survey.add(Glance(channel, 1, record_id, computer), record_id if own else at + 1000)
    return survey.done(path)


def log(path: str, channel: str, *names: str, first: int = 1, each: int = 3) -> Surveyed:
    """A host's own log, through these names."""
    ids = range(first, first + each * len(names))
    rows = [(channel, number, names[at // each]) for at, number in enumerate(ids)]
    return surveyed(path, rows, own=True)


def plan(*files: Surveyed) -> list[tuple[str, tuple[str, ...]]]:
    steps = Hosts(files).steps(files)
    return [(step.channel, tuple(file.path for file in step.files)) for step in steps]


def test_a_computer_that_is_renamed_is_one_host() -> None:
    file = surveyed("a", [(SECURITY, 1, "WIN-1"), (SECURITY, 2, "PC"), (SECURITY, 9, "PC.corp")])
    assert (file.names, file.many) == (("WIN-1", "PC", "PC.corp"), {})
    assert Hosts([file]).of(file, "WIN-1") == Host("PC.corp", frozenset({SECURITY}))


def test_a_log_with_the_newest_first_was_renamed_the_other_way() -> None:
    file = surveyed("a", [(LSM, 9, "PC"), (LSM, 8, "PC"), (LSM, 2, "WIN-1")])
    assert file.names == ("WIN-1", "PC")
    assert file.spans == {LSM: (2, 9, True)}


@pytest.mark.parametrize(
    "rows",
    [
        [(LSM, 1, "A"), (LSM, 2, "B"), (LSM, 3, "A")],  # they take turns
        [(LSM, 10, "A"), (LSM, 11, "A"), (LSM, 5, "B"), (LSM, 6, "B")],  # the ids do not go on
        [(LSM, 11, "A"), (LSM, 10, "A"), (LSM, 4, "A"), (LSM, 50, "B")],
        [(LSM, 1, "A"), (LSM, 2, "A"), (SECURITY, 3, "B"), (SECURITY, 4, "B")],
    ],
)
def test_computers_that_are_several_hosts(rows: list[Row]) -> None:
    file = surveyed("a", rows)
    hosts = Hosts([file])
    assert file.names == ()
    assert [hosts.of(file, name).origin for name in ("A", "B")] == ["A", "B"]


def test_a_host_that_gets_its_old_name_back_is_still_one() -> None:
    """What the file numbers as Windows does is a host's own log."""
    rows = [(LSM, 1, "A"), (LSM, 2, "B"), (LSM, 3, "A")]
    file = surveyed("a", rows, own=True)
    assert file.names == ("B", "A")
    assert file.many == {}


def test_the_channels_of_a_host_are_those_of_all_its_files() -> None:
    files = [
        log("sec", SECURITY, "WIN-1", "PC"),
        log("lsm", LSM, "pc", "PC.corp"),
        log("sys", SYSTEM, "OTHER"),
    ]
    hosts = Hosts(files)
    assert hosts.of(files[0], "WIN-1") == Host("PC.corp", frozenset({SECURITY, LSM}))
    assert hosts.of(files[1], "pc") is hosts.of(files[0], "PC")
    assert hosts.of(files[2], "OTHER") == Host("OTHER", frozenset({SYSTEM}))


def test_hosts_that_were_made_from_one_image_are_two() -> None:
    files = [log("a", SECURITY, "IMAGE", "PC-1"), log("b", SECURITY, "IMAGE", "PC-2")]
    hosts = Hosts(files)
    assert [hosts.of(file, "IMAGE").origin for file in files] == ["PC-1", "PC-2"]


@pytest.mark.parametrize("turn", [1, -1])
def test_the_host_has_the_last_of_its_names(turn: int) -> None:
    files = [log("a", SECURITY, "A", "B"), log("b", SECURITY, "B", "C"), log("c", LSM, "C")][::turn]
    assert {Hosts(files).of(file, "A").origin for file in files} == {"C"}


def test_a_collectors_log_and_a_hosts_own() -> None:
    own = log("own", LSM, "WIN-1", "PC")
    collected = surveyed(
        "all", [(SECURITY, 5, "pc"), (SECURITY, 3, "OTHER"), (SECURITY, 6, "pc"), (RCM, 1, "pc")]
    )
    hosts = Hosts([own, collected])
    assert hosts.of(collected, "PC") == Host("PC", frozenset({LSM, SECURITY, RCM}))
    assert hosts.of(collected, "pc") is hosts.of(own, "WIN-1")
    assert hosts.of(collected, "OTHER") == Host("OTHER", frozenset({SECURITY}))


def test_a_log_that_names_no_computer_goes_by_its_path() -> None:
    files = [log("a", LSM, ""), log("b", LSM, "")]
    hosts = Hosts(files)
    assert [hosts.of(file, "").origin for file in files] == ["a", "b"]


def test_computers_without_number() -> None:
    """A hostile file cannot fill the memory with names; those beyond are hosts all the same."""
    rows = [(LSM, 5, f"PC-{number}") for number in range(NAMES_MOST + 500)]
    file = surveyed("a", [*rows, (LSM, 5, "PC-0")])
    assert len(file.many) == NAMES_MOST
    assert Hosts([file]).of(file, "PC-10400") == Host("PC-10400", frozenset({LSM}))


def test_channels_that_tell_of_nobody_are_named_and_no_more() -> None:
    file = surveyed("a", [(f"Channel {number}", 1, "PC") for number in range(500)])
    assert (file.spans, file.names, len(file.others)) == ({}, (), 20)


def test_the_small_channels_come_first() -> None:
    channels = (SECURITY, OPENSSH, LSM, RDP_CORE, RCM, SYSTEM)
    files = [log(f"{channel}.evtx", channel, "PC") for channel in channels]
    assert [channel for channel, _ in plan(*files)] == list(channels[::-1])


def test_hosts_are_read_one_after_the_other() -> None:
    one, two = log("a", SECURITY, "A"), log("b", SECURITY, "B")
    assert plan(one, two, log("c", LSM, "B"), log("d", LSM, "A")) == [
        (LSM, ("d",)),
        (SECURITY, ("a",)),
        (LSM, ("c",)),
        (SECURITY, ("b",)),
    ]


def test_hosts_that_a_collectors_log_brings_together_are_read_together() -> None:
    rows = [(SECURITY, 5, "A"), (SECURITY, 4, "B"), (SECURITY, 6, "A")]
    files = [log("a", LSM, "A"), surveyed("all", rows), log("b", LSM, "B"), log("c", LSM, "C")]
    assert plan(*files) == [(LSM, ("a",)), (LSM, ("b",)), (SECURITY, ("all",)), (LSM, ("c",))]


def test_archives_go_by_their_record_ids_and_are_merged_where_these_overlap() -> None:
    files = [
        log("new", LSM, "A", first=50),
        log("old", LSM, "A", first=1, each=30),
        log("copy", LSM, "A", first=20, each=4),
        log("other", LSM, "B", first=10, each=90),
    ]
    assert plan(*files) == [(LSM, ("old", "copy")), (LSM, ("new",)), (LSM, ("other",))]


def test_not_more_files_are_open_than_may_be() -> None:
    files = [log(f"{at:03}", LSM, "A") for at in range(MERGED_MOST + 3)]
    assert [len(paths) for _, paths in plan(*files)] == [MERGED_MOST, 3]
