"""Where one event of an XML export ends and the next begins."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.windows.rendering import event, lsm
from usersessionmon.windows.exports import RECORD_MOST, Readable, in_utf8, pieces
from usersessionmon.windows.xml import Rendered, read

EVENTS = [
    event(4625, data={"TargetUserName": "王芳"}, record_id=1),
    event(4624, data={"TargetUserName": "a < b & c > d ]]>"}, record_id=2),
    lsm(21, {"User": "CORP\\alice", "SessionID": "2"}, record_id=3),
]
NESTED = event(
    4625,
    record_id=4,
    after=f"<UserData><X>{event(4624, record_id=90)}{event(4624, record_id=91)}</X></UserData>",
)
Form = Callable[[list[str]], bytes]


def event_viewer(events: list[str]) -> bytes:
    head = '\ufeff<?xml version="1.0" encoding="utf-8" standalone="yes"?><Events>'
    return f"{head}{''.join(events)}</Events>".encode()


FORMS: dict[str, Form] = {
    "wevtutil": lambda events: "".join(events).encode(),
    "a line each": lambda events: "\r\n".join(events).encode(),
    "event viewer": event_viewer,
    "powershell": lambda events: "\r\n".join(events).encode("utf-16"),
    "big-endian": lambda events: ("\ufeff" + "\n".join(events)).encode("utf-16-be"),
    "no mark": lambda events: "\n".join(events).encode("utf-16-le"),
}


class Dripping(io.BytesIO):
    """Gives no more than so many bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = itertools.cycle(sizes)

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(next(self._sizes))


def events_in(stream: Readable) -> Iterator[str]:
    """The text of every ``<Event>``, in the file's order."""
    return (event.decode("utf-8", "replace") for _, event in pieces(in_utf8(stream)))


def found(data: bytes) -> list[str]:
    return list(events_in(io.BytesIO(data)))


def numbers(data: bytes) -> list[int]:
    """Which records are read from it."""
    events = (read(xml) for xml in found(data))
    return [one.record_id for one in events if isinstance(one, Rendered)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_events(form: str) -> None:
    assert found(FORMS[form](EVENTS)) == EVENTS


@given(st.sampled_from(sorted(FORMS)), st.lists(st.integers(4, 700), min_size=1, max_size=9))
def test_it_does_not_matter_how_the_stream_comes(form: str, sizes: list[int]) -> None:
    data = FORMS[form]([*EVENTS, NESTED])
    assert list(events_in(Dripping(data, sizes))) == [*EVENTS, NESTED]


@given(st.lists(st.sampled_from([*EVENTS, NESTED]), max_size=6), st.data())
def test_the_places_are_where_the_events_begin(events: list[str], data: st.DataObject) -> None:
    text = "\n".join(events).encode()
    cut = data.draw(st.integers(0, len(text)))
    for place, piece in pieces([text[:cut], text[cut:]]):
        assert text[place : place + len(piece)] == piece


def test_an_event_within_an_event_is_a_part_of_it() -> None:
    """Anybody may write such into the data of an event of their own."""
    assert numbers(FORMS["wevtutil"]([EVENTS[0], NESTED, EVENTS[1]])) == [1, 4, 2]
    for markup in (
        "<Event a='/>'>",
        '<Event a="/>" >',
        "<Event a='</Event>'>".replace("<", "&lt;"),
    ):
        inner = f"{markup}</Event>" if markup.startswith("<") else markup
        hostile = event(4625, record_id=4, after=f"<X>{inner}{event(record_id=90)}</X>")
        assert numbers(hostile.encode() + EVENTS[0].encode()) == [4, 1]


@pytest.mark.parametrize("closing", ["<Event/>", "<Event a='b'/>", "<Event></Event >"])
def test_an_event_may_be_empty(closing: str) -> None:
    assert found((closing + EVENTS[0]).encode()) == [closing, EVENTS[0]]


def test_what_stands_in_comments_and_cdata_opens_and_closes_nothing() -> None:
    inner = "<X><!-- </Event><Event> --><![CDATA[</Event><Event>]]></X>"
    hidden = event(4625, record_id=4, after=inner)
    assert found((hidden + EVENTS[0]).encode()) == [hidden, EVENTS[0]]


@pytest.mark.parametrize("cut", [9, 300, 480])
def test_an_event_that_was_cut_takes_no_other_with_it(cut: int) -> None:
    """A file that ended in the middle of a record, with another one behind it."""
    whole = [event(4625, record_id=number) for number in range(1200)]
    data = (whole[0][:cut] + "".join(whole[1:])).encode()
    assert len(data) > RECORD_MOST
    assert numbers(data) == list(range(1, 1200))
    assert numbers((whole[0][:cut] + whole[1]).encode()) == [1]
    assert numbers((whole[1] + whole[0][:cut]).encode()) == [1]


def test_a_cut_event_is_given_to_be_counted() -> None:
    assert len(found((EVENTS[0] + EVENTS[1][:200]).encode())) == 2
    assert len(found((EVENTS[1][:200] + EVENTS[0]).encode())) == 2


def test_an_event_that_is_too_long_is_left_out_and_the_next_is_read() -> None:
    long = event(4625, data={"x": "y" * 2 * RECORD_MOST}, record_id=50)
    assert numbers((EVENTS[0] + long + EVENTS[1]).encode()) == [1, 2]


@pytest.mark.parametrize(
    "data",
    [
        b"<Event " * 100_000,
        b"<Event>" * 100_000,
        b"<Event><!--" * 40_000,
        b"<Event a='" * 100_000,
        b"</Event>" * 100_000,
        b"<Event " + b" " * 2_000_000,
        b"<" * 2_000_000,
    ],
)
def test_no_file_takes_long(data: bytes) -> None:
    """Each would take minutes if the time grew with the square of its length."""
    assert numbers(data) == []
    assert sum(len(piece) for _, piece in pieces([data])) <= len(data)


def test_bytes_that_are_no_utf_8_are_no_end_of_the_file() -> None:
    assert numbers(EVENTS[0].encode("gb18030") + EVENTS[1].encode()) == [1, 2]
    odd = EVENTS[1].encode("utf-16") + b"\x00\xd8" + EVENTS[2].encode("utf-16-le") + b"\0"
    assert numbers(odd) == [2, 3]
