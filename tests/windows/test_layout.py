"""The order of an .evtx file's chunks."""

from __future__ import annotations

import io
import struct

import pytest

from usersessionmon.windows.layout import CHUNK, HEAD, Chunk, in_order, layout_of


def chunks(*spans: tuple[int, int]) -> list[Chunk]:
    return [Chunk(HEAD + at * CHUNK, first, last) for at, (first, last) in enumerate(spans)]


def file_of(*spans: tuple[int, int] | None, counted: int, cut: int = 0) -> bytes:
    head = bytearray(b"ElfFile\0".ljust(HEAD, b"\0"))
    struct.pack_into("<H", head, 42, counted)
    parts = [b"" if span is None else struct.pack("<8sQQ", b"ElfChnk\0", *span) for span in spans]
    data = bytes(head) + b"".join(part.ljust(CHUNK, b"\0") for part in parts)
    return data[: len(data) - cut]


def looked_at(data: bytes) -> tuple[list[tuple[int, int]], int]:
    found = layout_of(io.BytesIO(data), len(data))
    return [(chunk.first, chunk.last) for chunk in found.chunks], found.missing


@pytest.mark.parametrize(
    ("spans", "order"),
    [
        ([], []),
        ([(1, 9), (10, 19), (20, 29)], [0, 1, 2]),
        ([(30, 39), (40, 49), (10, 19), (20, 29)], [2, 3, 0, 1]),
        ([(50, 59), (20, 29), (40, 49), (30, 39)], [1, 3, 2, 0]),
        # A chunk in the middle is lost; what the end of the file goes on with tells of the ring.
        ([(40, 49), (60, 69), (10, 19), (30, 39)], [2, 3, 0, 1]),
        # The newest chunk's header is behind, because Windows was writing it.
        ([(30, 39), (40, 41), (10, 19), (20, 29)], [2, 3, 0, 1]),
        # Numbers that begin again are no ring, wherever they begin.
        ([(1, 99), (100, 199), (1, 80), (81, 150)], [0, 1, 2, 3]),
        ([(400, 499), (500, 599), (1, 80), (81, 150)], [0, 1, 2, 3]),
        ([(5, 9), (5, 9)], [0, 1]),
    ],
)
def test_the_order_of_chunks(spans: list[tuple[int, int]], order: list[int]) -> None:
    found = chunks(*spans)
    assert list(in_order(found)) == [found[at] for at in order]


def test_a_file_is_as_its_chunks_say() -> None:
    assert looked_at(file_of((20, 29), (1, 9), (10, 19), counted=3)) == (
        [(1, 9), (10, 19), (20, 29)],
        0,
    )


def test_room_that_was_not_used_yet_is_no_chunk() -> None:
    data = file_of((1, 9), None, (2**64 - 1, 2**64 - 1), (9, 3), (5, 2**64 - 1), counted=1)
    assert looked_at(data) == ([(1, 9)], 0)


@pytest.mark.parametrize(("cut", "missing"), [(0, 1), (1, 2), (CHUNK - 24, 2), (CHUNK, 2)])
def test_a_file_that_was_cut_short(cut: int, missing: int) -> None:
    data = file_of((1, 9), (10, 19), counted=3, cut=cut)
    assert looked_at(data)[1] == missing
    assert looked_at(data)[0][0] == (1, 9)


def test_a_header_that_is_behind_is_no_trouble() -> None:
    """Of a log that is in use it counts fewer chunks than there are."""
    assert looked_at(file_of((1, 9), (10, 19), counted=1)) == ([(1, 9), (10, 19)], 0)


@pytest.mark.parametrize("size", [0, 7, HEAD, HEAD + 10])
def test_a_file_of_almost_nothing(size: int) -> None:
    assert looked_at(file_of(counted=0).ljust(HEAD + 20, b"\0")[:size]) == ([], 0)
