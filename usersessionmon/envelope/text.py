"""A line of a text log → ``Record``.

A log is read by shape, line by line: a file may change its form after an upgrade.  What is costly
is remembered from the line before: the day with its year and offset, where the time ends, and for
each ``host tag`` whether its lines matter.  One expression, made for the day, takes such lines
apart, many at once.  A line that does not fit takes the long way (``header``), which must come to
the same result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import tzinfo
from functools import lru_cache

from usersessionmon.model import Moment, Record

from .forms import skip_priority
from .header import Header, HeaderReader, Like
from .loose import Loose, loose
from .raw import LINE_BYTES, decode, name, trim
from .tag import Head, clean_text

__all__ = ["LineReader", "Loose", "loose"]

_SHORT_TEXT = LINE_BYTES // 4 - 512
"""Characters of a text that, with any header that is remembered, is not cut for its bytes."""
_MEMO = 4096
_NOTHING = Like(b"\0", 0, 0, b"", 0, "", "", 0)  # no line that is looked at begins so
_HEX = frozenset("0123456789abcdef")
_MINUTES = {
    f"{hour:02}:{minute:02}:": (hour * 60 + minute) * 60_000_000
    for hour in range(24)
    for minute in range(60)
}
_SECONDS = {f"{second:02}": second * 1_000_000 for second in range(60)}
_ODD_STARTS = " ["
# what stands behind the clock: host and tag, pid, text; a colon in a tag is for the long way
_REST = rf"( [^\[:\n]{{1,400}})(?:\[([0-9]{{1,10}})\])?: (.{{1,{_SHORT_TEXT}}})"
_UNKNOWN: tuple[str | None, str] = (None, "?")
_new = tuple.__new__

Saved = dict[str, int | str | None]
Item = tuple[str, str, str | None, str]
"""Clock (with fraction and offset), host and tag, pid, text."""


class LineReader:
    """Reads the lines of one log, in order.

    ``lines`` counts all, ``skipped`` those whose program does not matter (or that have none), and
    ``not_understood`` those without a header that is known.
    """

    def __init__(
        self,
        *,
        wanted: Callable[[str], bool],
        zone: tzinfo,
        reference_us: int,
        year: int | None = None,
    ) -> None:
        """``zone``: where the log was written, for times without an offset.  ``reference_us``:
        the first line is not later than a day after it (the file's mtime, or now).  ``year``: of
        the first line, if it is known."""
        self.lines = 0
        self.skipped = 0
        self.not_understood = 0
        self._wanted = wanted
        self._headers = HeaderReader(zone=zone, reference_us=reference_us, year=year)
        self._heads: dict[str, tuple[str | None, str] | None] = {}
        self._before: tuple[Moment, bool, str | None] | None = None
        self._before_item: Item | None = None
        self._noise: bool | None = False
        self._clock = self._minute = ""
        self._moment = Moment(0, "")
        self._minute_us = self._fraction = 0
        self._like = Like(b"", 0, 0, b"", 0, "", "", 0)
        self._use(_NOTHING, False)

    # -- the short way ----------------------------------------------------------------------

    def read(self, line: bytes) -> Record | None:
        """The record of a line (without its LF); None when there is nothing in it that matters."""
        if line.startswith(self._day):
            try:
                text = line.decode()
            except UnicodeDecodeError:
                return self._read_anew(line)
            found = self._line.fullmatch(text)
            if found is not None and "\0" not in text and "\r" not in text:
                records: list[Record] = []
                clock, head, pid, said = found.groups()
                self._take((clock, head, pid, said), records)
                return records[0] if records else None
        return self._read_anew(line)

    def read_block(self, lines: Sequence[bytes]) -> list[Record]:
        """The records of many lines."""
        return self.read_text(b"\n".join([*lines, b""]))

    def read_text(self, block: bytes) -> list[Record]:
        """The records of many lines, each with its LF (the last may have none)."""
        records: list[Record] = []
        try:
            text = block.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text or "\r" in text:
            lines = block.split(b"\n")
            if not lines[-1]:
                lines.pop()
            for line in lines:
                record = self.read(line)
                if record is not None:
                    records.append(record)
        elif text:
            self._read_lines(text if text.endswith("\n") else text + "\n", records)
        return records

    def _read_lines(self, text: str, records: list[Record]) -> None:
        like, heads, inferred, add = self._like, self._heads, self._inferred, records.append
        before: Item | None = None
        items = iter(self._lines.findall(text))
        for clock, head, pid, said, other in items:
            entry = heads.get(head, _UNKNOWN)
            if entry is None:
                self.lines += 1
                self.skipped += 1
                before = clock, head, pid, said
                continue
            if entry is not _UNKNOWN and (clock == self._clock or self._turn_clock(clock)):
                self.lines += 1
                before = clock, head, pid, said
                if said[0] in _ODD_STARTS:
                    said = decode(clean_text(said.encode()))
                host, program = entry
                number = int(pid) if pid else None
                # Record's own constructor takes three times as long
                time = self._moment
                parts = (time, host, program, number, said, None, None, inferred, None, None, None)
                add(_new(Record, parts))
                continue
            if before is not None:
                self._passed(before)
                before = None
            line = self._written((clock, head, pid, said)) if head else other
            record = self._read_anew(line.encode())
            if record is not None:
                add(record)
            if self._like is not like:
                break
        if before is not None:
            self._passed(before)
        self._read_rest(items, like, records)

    def _read_rest(
        self, items: Iterator[tuple[str, str, str, str, str]], like: Like, records: list[Record]
    ) -> None:
        """What follows a line of another form or day in its block; the next one is read faster."""
        day, zone = like.day.decode(), like.zone.decode()
        for clock, head, pid, said, other in items:
            line = _joined(day, zone, clock, head, pid, said) if head else other
            record = self.read(line.encode())
            if record is not None:
                records.append(record)

    def _take(self, item: Item, records: list[Record]) -> None:
        """One line in pieces."""
        clock, head, pid, said = item
        entry = self._heads.get(head, _UNKNOWN)
        if entry is _UNKNOWN or (clock != self._clock and not self._turn_clock(clock)):
            record = self._read_anew(self._written(item).encode())
            if record is not None:
                records.append(record)
            return
        self._passed(item)
        self.lines += 1
        if entry is None:
            self.skipped += 1
            return
        host, program = entry
        number = int(pid) if pid else None
        said = decode(clean_text(said.encode()))
        time, inferred = self._moment, self._inferred
        records.append(Record(time, host, program, number, said, time_inferred=inferred))

    def _passed(self, item: Item) -> None:
        """The last line, which was taken the short way."""
        self._before_item = item
        self._noise = None

    def _behind_noise(self) -> bool:
        """Whether the last line was one that does not matter; so is its repetition, then."""
        if self._noise is None and self._before_item is not None:
            return self._heads.get(self._before_item[1]) is None
        return self._noise is True

    def _written(self, item: Item) -> str:
        """The line that was taken apart."""
        like = self._like
        return _joined(like.day.decode(), like.zone.decode(), *item)

    def _turn_clock(self, clock: str) -> bool:
        """Make ``_moment`` the time of a clock on the remembered day; False when there is none
        such, as in a leap second."""
        minute = clock[:6]
        if minute != self._minute:
            since_midnight = _MINUTES.get(minute)
            if since_midnight is None:
                return False
            self._minute = minute
            self._minute_us = self._midnight_us + since_midnight
        seconds = _SECONDS.get(clock[6:8])
        if seconds is None:
            return False
        us = self._minute_us + seconds
        if self._fraction:
            us += int(clock[9:15]) * self._fraction
        self._clock = clock
        self._moment = _new(Moment, (us, f"{self._date}{clock}{self._offset}"))
        return True

    # -- the long way -----------------------------------------------------------------------

    def _read_anew(self, line: bytes) -> Record | None:
        bare = skip_priority(line)
        if bare is not line and bare.startswith(self._day):
            return self.read(bare)
        self.lines += 1
        behind_noise = self._behind_noise()
        self._noise = True
        cut = trim(line)
        if cut[:1] in (b"", b" ", b"\t"):  # journalctl indents the further lines of a message
            self.skipped += 1
            return None
        if cut.startswith(b"-- "):
            return self._boundary(cut)
        header = self._headers.read(cut)
        if header is None:
            self.not_understood += 1
            return None
        self._saw(header)
        self._before_item = None
        program = None if header.head.program is None else decode(header.head.program)
        if program is None:
            self.skipped += 1
            return None
        matters = self._wanted(program)
        self._remember_head(line, header.head, program if matters else None)
        if not matters or (program == "" and behind_noise):
            self.skipped += 1
            return None
        self._noise = False
        return Record(
            time=header.time,
            host=name(header.head.host),
            program=program,
            pid=header.head.pid,
            text=decode(header.head.text),
            time_inferred=header.inferred,
        )

    def _boundary(self, line: bytes) -> Record | None:
        """journalctl's mark between two boots: it has the time and the host of the line before."""
        text = decode(line)
        boot = text[8:-3] if text.startswith("-- Boot ") and text.endswith(" --") else ""
        is_boot = len(boot) == 32 and _HEX.issuperset(boot)
        self._settle()
        if self._before is None or not (is_boot or text == "-- Reboot --") or not self._wanted(""):
            self.skipped += 1
            return None
        time, inferred, host = self._before
        return Record(time, host, "", None, text, boot if is_boot else None, time_inferred=inferred)

    # -- remembering ------------------------------------------------------------------------

    def save(self) -> Saved:
        """All that the next line's meaning depends on."""
        noise = self._behind_noise()
        self._settle()
        time, inferred, host = self._before or (Moment(0, ""), False, None)
        return {
            **self._headers.save(),
            "before_us": time.us if self._before else None,
            "before_text": time.text,
            "before_inferred": int(inferred),
            "before_host": host,
            "behind_noise": int(noise),
        }

    def restore(self, saved: Saved) -> None:
        """Go on from ``save``'s values; what is missing or of a wrong type is passed over."""
        self._headers.restore(saved)
        us, text, host = (saved.get(f"before_{key}") for key in ("us", "text", "host"))
        if isinstance(us, int) and isinstance(text, str):
            inferred = bool(saved.get("before_inferred"))
            self._before = Moment(us, text), inferred, host if isinstance(host, str) else None
        self._before_item = None
        self._noise = bool(saved.get("behind_noise"))
        self._use(_NOTHING, False)

    def _settle(self) -> None:
        """Look at the line before, which was passed over quickly."""
        if self._before_item is not None:
            self._noise = self._behind_noise()
            header = self._headers.read(self._written(self._before_item).encode())
            self._before_item = None
            if header is not None:
                self._saw(header)

    def _saw(self, header: Header) -> None:
        self._before = header.time, header.inferred, name(header.head.host)
        self._use(header.like or _NOTHING, header.inferred)

    def _use(self, like: Like, inferred: bool) -> None:
        """Prepare the short way for lines of this form and day."""
        if like is self._like:
            return
        self._like = like
        self._day = like.day
        self._midnight_us, self._date, self._offset = like.midnight_us, like.date, like.offset
        self._inferred = inferred
        self._clock = self._minute = ""
        digits = max(0, like.end - like.clock_at - len("00:00:00.") - len(like.zone))
        # what the first six digits of the fraction are to be multiplied with; 0: there is none
        self._fraction = int(10 ** max(0, 6 - digits)) if digits else 0
        clock = r"([0-9]{2}:[0-9]{2}:[0-9]{2}%s)" % (rf"\.[0-9]{{{digits}}}" if digits else "")
        self._line, self._lines = _expressions(like.day.decode(), clock, like.zone.decode())

    def _remember_head(self, line: bytes, head: Head, program: str | None) -> None:
        """Remember what stands between time and pid, if the short way would see it the same."""
        found = self._line.fullmatch(decode(line))
        if found is None or head.program == b"pam":
            return  # the next one's text may begin with a tag of its own
        _, key, pid, text = found.groups()
        if head.pid != (int(pid) if pid else None) or head.text != clean_text(text.encode()):
            return
        if len(self._heads) >= _MEMO:
            self._heads.clear()
        self._heads[key] = None if program is None else (name(head.host), program)


@lru_cache(maxsize=16)
def _expressions(day: str, clock: str, zone: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """For one line, and for each of many with its LF."""
    known = re.escape(day) + clock + re.escape(zone) + _REST
    return re.compile(known), re.compile(f"(?:{known}|(.*))\n")


def _joined(day: str, zone: str, clock: str, head: str, pid: str | None, text: str) -> str:
    number = f"[{pid}]" if pid else ""
    return f"{day}{clock}{zone}{head}{number}: {text}"
