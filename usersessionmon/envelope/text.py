"""A line of a text log → ``Record``.

A log is read by shape, line by line: a file may change its form after an upgrade.  What is costly
is remembered from the line before: the day with its year and offset, where the time ends, and for
each ``host tag`` whether its lines matter.  A line that does not fit what is remembered takes the
long way (``header``), which must come to the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import tzinfo

from usersessionmon.model import Moment, Record

from .forms import skip_priority
from .header import Header, HeaderReader, Like
from .loose import Loose, loose
from .raw import LINE_BYTES, decode, name, trim
from .tag import Head, clean_text

__all__ = ["LineReader", "Loose", "loose"]

_SHORT_BYTES = LINE_BYTES - 1024
"""No header that is remembered makes a line with so short a text too long."""
_MEMO = 4096
_KEY_BYTES = 512
_NOTHING = Like(b"\0", 0, 0, b"", 0, "", "", 0)  # no line that is looked at begins so
_ODD_STARTS = frozenset(b" [")
_CR, _POINT = b"\r."
_HEX = frozenset("0123456789abcdef")
_MINUTES = {
    b"%02d:%02d:" % (hour, minute): (hour * 60 + minute) * 60_000_000
    for hour in range(24)
    for minute in range(60)
}
_SECONDS = {b"%02d" % second: (second * 1_000_000, f"{second:02}") for second in range(60)}
_UNKNOWN: tuple[str | None, str] = (None, "?")
_new = tuple.__new__

Saved = dict[str, int | str | None]


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
        boot_of: Callable[[int], str | None] | None = None,
    ) -> None:
        """``zone``: where the log was written, for times without an offset.  ``reference_us``:
        the first line is not later than a day after it (the file's mtime, or now).  ``year``: of
        the first line, if it is known.  ``boot_of`` gives the boot id for an instant."""
        self.lines = 0
        self.skipped = 0
        self.not_understood = 0
        self._wanted = wanted
        self._boot_of = boot_of
        self._headers = HeaderReader(zone=zone, reference_us=reference_us, year=year)
        self._heads: dict[bytes, tuple[str | None, str] | None] = {}
        self._pids: dict[bytes, int] = {}
        self._before: tuple[Moment, bool, str | None] | None = None
        self._before_line = b""
        self._stamp = b""
        self._moment = Moment(0, "")
        self._minute_us = 0
        self._minute_text = ""
        self._like: Like | None = None
        self._use(_NOTHING, False)

    # -- the short way ----------------------------------------------------------------------

    def read(self, line: bytes) -> Record | None:
        """The record of a line (without its LF); None when there is nothing in it that matters."""
        self.lines += 1
        if not line.startswith(self._day):
            return self._read_anew(line)
        head, _, text = line.partition(b": ")
        key, bracket, digits = head[self._end :].partition(b"[")
        entry = self._heads.get(key, _UNKNOWN)
        if entry is None:
            self.skipped += 1
            self._before_line = line
            return None
        pid = (self._pids.get(digits) or self._new_pid(digits)) if bracket else None
        if entry is _UNKNOWN or (bracket and pid is None) or not 0 < len(text) < _SHORT_BYTES:
            return self._read_anew(line)
        stamp = head[: self._end]
        if stamp != self._stamp:
            moment = self._quick_moment(stamp)
            if moment is None:
                return self._read_anew(line)
            self._stamp, self._moment = stamp, moment
        self._before_line = line
        if text[0] in _ODD_STARTS or text[-1] == _CR:
            text = clean_text(text.rstrip(b"\r"))
        boot = None if self._boot_of is None else self._boot_of(self._moment.us)
        host, program = entry
        try:
            said = text.decode()
        except UnicodeDecodeError:
            said = decode(text)
        if "\0" in said:
            said = decode(text)
        # Record's own constructor takes three times as long
        values = (self._moment, host, program, pid, said, boot, None, self._inferred, None, None)
        return _new(Record, values)

    def read_block(self, lines: Iterable[bytes]) -> list[Record]:
        """The records of many lines."""
        read = self.read
        return [record for line in lines if (record := read(line)) is not None]

    def _quick_moment(self, stamp: bytes) -> Moment | None:
        """The time of a stamp on the remembered day, or None when it is not written like it."""
        at = self._seconds_at
        if stamp[:at] != self._minute and not self._turn_minute(stamp[:at]):
            return None
        seconds = _SECONDS.get(stamp[at : at + 2])
        if seconds is None:
            return None
        us = self._minute_us + seconds[0]
        rest = stamp[at + 2 :]
        if rest == self._zone:
            return _new(Moment, (us, f"{self._minute_text}{seconds[1]}{self._offset}"))
        fraction = rest[1:7]
        if (
            not fraction.isdigit()
            or len(rest) != self._zone_bytes + 7
            or rest[0] != _POINT
            or not rest.endswith(self._zone)
        ):
            return None
        if self._verbatim:
            return _new(Moment, (us + int(fraction), stamp.decode()))
        text = f"{self._minute_text}{seconds[1]}.{fraction.decode()}{self._offset}"
        return _new(Moment, (us + int(fraction), text))

    def _turn_minute(self, prefix: bytes) -> bool:
        """Begin another minute of the day; False when there is none such."""
        clock = prefix[self._clock_at :]
        since_midnight = _MINUTES.get(clock)
        if since_midnight is None:
            return False
        self._minute = prefix
        self._minute_us = self._midnight_us + since_midnight
        self._minute_text = f"{self._date}{clock.decode()}"
        return True

    def _new_pid(self, digits: bytes) -> int | None:
        """The number in ``1234]``."""
        number = digits[:-1]
        if digits[-1:] != b"]" or len(number) > 10 or not number.isdigit():
            return None
        if len(self._pids) >= _MEMO:
            self._pids.clear()
        self._pids[digits] = pid = int(number)
        return pid

    # -- the long way -----------------------------------------------------------------------

    def _read_anew(self, line: bytes) -> Record | None:
        bare = skip_priority(line)
        if bare is not line and bare.startswith(self._day):
            self.lines -= 1
            return self.read(bare)
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
        self._before_line = b""
        program = None if header.head.program is None else decode(header.head.program)
        if program is None:
            self.skipped += 1
            return None
        matters = self._wanted(program)
        self._remember_head(line, header.head, program if matters else None)
        if not matters:
            self.skipped += 1
            return None
        return self._record(header, program)

    def _record(self, header: Header, program: str) -> Record:
        return Record(
            time=header.time,
            host=name(header.head.host),
            program=program,
            pid=header.head.pid,
            text=decode(header.head.text),
            boot=None if self._boot_of is None else self._boot_of(header.time.us),
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
        self._settle()
        time, inferred, host = self._before or (Moment(0, ""), False, None)
        return {
            **self._headers.save(),
            "before_us": time.us if self._before else None,
            "before_text": time.text,
            "before_inferred": int(inferred),
            "before_host": host,
        }

    def restore(self, saved: Saved) -> None:
        """Go on from ``save``'s values; what is missing or of a wrong type is passed over."""
        self._headers.restore(saved)
        us, text, host = (saved.get(f"before_{key}") for key in ("us", "text", "host"))
        if isinstance(us, int) and isinstance(text, str):
            inferred = bool(saved.get("before_inferred"))
            self._before = Moment(us, text), inferred, host if isinstance(host, str) else None
        self._before_line = b""
        self._use(_NOTHING, False)

    def _settle(self) -> None:
        """Look at the line before, which was passed over quickly."""
        if self._before_line:
            header = self._headers.read(trim(self._before_line))
            self._before_line = b""
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
        (
            self._day,
            self._clock_at,
            self._end,
            self._zone,
            self._midnight_us,
            self._date,
            self._offset,
            _,
        ) = like
        self._seconds_at = self._clock_at + 6
        self._zone_bytes = len(self._zone)
        self._verbatim = like.day == like.date.encode() and like.zone == like.offset.encode()
        """The time is written as it is shown."""
        self._inferred = inferred
        self._stamp = self._minute = b""

    def _remember_head(self, line: bytes, head: Head, program: str | None) -> None:
        """Remember what stands between time and pid, if the short way would see it the same."""
        front, colon, text = line.partition(b": ")
        key, bracket, digits = front[self._end :].partition(b"[")
        pid = self._new_pid(digits) if bracket else None
        if not colon or not line.startswith(self._day) or not 2 <= len(key) <= _KEY_BYTES:
            return
        if pid != head.pid or not head.text or not clean_text(text).startswith(head.text):
            return
        if head.program == b"pam":
            return  # the next one's text may begin with a tag of its own
        if len(self._heads) >= _MEMO:
            self._heads.clear()
        self._heads[key] = None if program is None else (name(head.host), program)
