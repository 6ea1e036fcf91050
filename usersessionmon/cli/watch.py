"""``who --watch``: looking again and again, on a terminal's second screen or as lines of JSON."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import tzinfo
from types import FrameType
from typing import Any, NamedTuple

from usersessionmon.clock import SystemClock, Waker
from usersessionmon.errors import TroubleError
from usersessionmon.model import Claim, SessionView
from usersessionmon.stock import Presence

from .output import cell, cut, ended_by, micros_text, say_json, session_object, span_text, warn

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
"""The second screen without a cursor; and back to what was there before."""
_CHANGES = 5
"""Changes that stay on the screen."""


class Seen(NamedTuple):
    """What one look gave."""

    there: Sequence[tuple[SessionView, Presence]]
    ended: Sequence[SessionView]
    """Those of the look before that are not there any more, as they are now."""
    running: bool
    claims: Sequence[Claim]
    """Those that hold."""


class Difference(NamedTuple):
    """Somebody ``came`` or ``left``, or what is known of a session ``changed``."""

    what: str
    view: SessionView
    how: Presence | None


Look = Callable[[Collection[str]], Seen]
"""Looks at the host; is given the sessions of the look before."""
ObjectOf = Callable[[Seen, SessionView, Presence | None], Mapping[str, Any]]
"""What programs get of a session of a look."""


def differences(before: Sequence[tuple[SessionView, Presence]], seen: Seen) -> Iterator[Difference]:
    """What one look shows that the look before did not."""
    known = {view.key: (view, how) for view, how in before}
    for view in seen.ended:
        yield Difference("left", view, None)
    for view, how in seen.there:
        old = known.get(view.key)
        if old is None:
            yield Difference("came", view, how)
        elif (session_object(old[0]), old[1]) != (session_object(view), how):
            yield Difference("changed", view, how)


def watch_lines(look: Look, every: float, zone: tzinfo, object_of: ObjectOf) -> int:
    """One object for each who is on at first (``on``), then for each change."""
    waker = Waker()
    pipe = sys.stdout.fileno() if stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode) else None
    watched = () if pipe is None else (pipe,)
    try:
        seen = look(())
        found = [Difference("on", view, how) for view, how in seen.there]
        while True:
            at = micros_text(SystemClock().now_us(), zone)
            for one in found:
                say_json({"change": one.what, "at": at, **object_of(seen, one.view, one.how)})
            sys.stdout.flush()
            if waker.wait(every, watched):
                return 0  # whoever read this has gone
            before, seen, problem = seen.there, *_again(look, seen)
            if problem:
                warn(problem)
            found = list(differences(before, seen))
    except KeyboardInterrupt:
        return 0
    finally:
        waker.close()


def watch_screen(
    look: Look, every: float, zone: tzinfo, draw: Callable[[Seen, int], list[str]]
) -> int:
    """The table, drawn anew after each look, until Ctrl-C.  ``draw`` gives its lines, as many as
    it is told at most."""
    seen = look(())  # trouble is told on the terminal's own screen
    recent: deque[str] = deque(maxlen=_CHANGES)
    problem = ""
    waker = Waker()
    try:
        with _second_screen(waker):
            while True:
                _put(_page(seen, recent, problem, zone, draw))
                waker.wait(every)
                before, seen, problem = seen.there, *_again(look, seen)
                clock = micros_text(SystemClock().now_us(), zone)[11:]
                recent.extend(f"{clock} {_words(one)}" for one in differences(before, seen))
    except KeyboardInterrupt:
        return 0
    finally:
        waker.close()


def _again(look: Look, seen: Seen) -> tuple[Seen, str]:
    """The next look; or the last one and why there is no other: a service that is started again
    has its state back in a moment."""
    try:
        return look([view.key for view, _ in seen.there]), ""
    except TroubleError as error:
        return seen._replace(ended=()), error.lines[0]


def _page(
    seen: Seen,
    recent: Collection[str],
    problem: str,
    zone: tzinfo,
    draw: Callable[[Seen, int], list[str]],
) -> list[str]:
    size = shutil.get_terminal_size()
    now = micros_text(SystemClock().now_us(), zone)
    head = [f"{len(seen.there)} on, {now} (Ctrl-C ends)"]
    if not seen.running:
        head.append("THE MONITOR IS NOT RUNNING: who came or left since it stopped is not known")
    if problem:
        head.append(f"TROUBLE: {problem}")
    room = max(1, size.lines - len(head) - 2 - len(recent))
    body = draw(seen, room)
    over, under = ((cut(line, size.columns) for line in lines) for lines in (head, recent))
    return [*over, "", *body, "", *under]


def _words(one: Difference) -> str:
    view = one.view
    who = f"{cell(view.user)} from {cell(view.ip)}"
    if one.what == "came":
        return f"+ {who} came ({cell(view.service)})"
    if one.what == "left":
        how = ", ".join([view.reason or "unknown", *ended_by(view)])
        return f"- {who} left: {how}, after {span_text(view.duration)}"
    return f"  {who}: {'its process is gone' if one.how is Presence.GONE else 'changed'}"


def _put(lines: Sequence[str]) -> None:
    """Over what is there, so that nothing flickers."""
    text = "\x1b[K\r\n".join(lines)
    sys.stdout.write(f"\x1b[H{text}\x1b[K\x1b[J")
    sys.stdout.flush()


@contextmanager
def _second_screen(waker: Waker) -> Iterator[None]:
    """However this ends or pauses, the terminal is as it was."""

    def resized(_number: int, _frame: FrameType | None) -> None:
        waker.wake()

    def ended(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    def paused(number: int, _frame: FrameType | None) -> None:
        _write(_LEAVE)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stops here, until somebody says `fg`
        signal.signal(number, paused)
        _write(_ENTER)
        waker.wake()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {
        signal.SIGINT: signal.default_int_handler,  # a shell's background job began without it
        signal.SIGTERM: ended,
    }
    if sys.platform != "win32":
        handlers |= {
            signal.SIGWINCH: resized,
            signal.SIGHUP: ended,
            signal.SIGTSTP: paused,
        }
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    _write(_ENTER)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _write(_LEAVE)


def _write(text: str) -> None:
    """At once and whole: a signal may come while something else is being written."""
    sys.stdout.flush()
    os.write(sys.stdout.fileno(), text.encode("ascii"))
