"""Killed at any moment and started again, the ledger is that of a run that nobody interrupted.

By hand: ``python -m tests.kill_proof 2000 [SEED]``.  Each trial follows a recorded log with the
real parts (rules, engine, SQLite, outbox, courier, sources) while it grows and is rotated, and dies
at random points: before and after each statement, in the middle of a commit's writes, before and
after a notice is sent.  What is then on the disk, SQLite's log as far as it was written, is all
that the next life has.  In the end the sessions, the counts of lines and the notices that arrived
or wait must be those of the uninterrupted run; a death may make what was on its way arrive again.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.generate import BEGIN, World
from tests.journal_files import entry, needs_journal, write
from usersessionmon import app
from usersessionmon.app import Delivery, Monitor
from usersessionmon.clock import ManualClock, Waker
from usersessionmon.config import NoticeSettings, Settings
from usersessionmon.model import ChangeKind
from usersessionmon.notify.base import Answer, Queued, Result
from usersessionmon.notify.delivery import DeliveryWorker
from usersessionmon.notify.pace import Budget
from usersessionmon.notify.routing import Router
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import RuleSet, load_rules
from usersessionmon.sd_notify import Notifier
from usersessionmon.sources.base import Source
from usersessionmon.sources.journal import JournalSource
from usersessionmon.sources.tail import TailSource
from usersessionmon.store import detectors, state
from usersessionmon.store.outbox import SqliteOutbox
from usersessionmon.store.place import open_state
from usersessionmon.wiring.here import Here
from usersessionmon.wiring.monitor import load_engine
from usersessionmon.wiring.notices import telling_of

EXAMPLES = Path(__file__).resolve().parents[2] / "shared" / "reference" / "messages-examples.jsonl"
START_US = int(BEGIN.timestamp()) * 1_000_000
FILES = ("state.db", "state.db-wal", "state.db-shm")
DEATHS = 3
"""The most in one trial."""


class KilledError(BaseException):
    """The process is gone; nothing of it may catch this."""


class Fuse:
    """Counts the moments at which the process can die, and lets it die at one of them."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.grave = folder.with_name("grave")
        self.count = 0
        self.at = 0
        self._rng = rng

    def point(self) -> None:
        """Here the process can die."""
        self.count += 1
        if self.count == self.at:
            self.bury()

    def is_next(self) -> bool:
        return self.count + 1 == self.at

    def bury(self, torn: bytes | None = None) -> None:
        """Keep what is on the disk now; ``torn``: what SQLite's log holds instead."""
        shutil.rmtree(self.grave, ignore_errors=True)
        self.grave.mkdir()
        for name in FILES:
            with suppress(FileNotFoundError):
                shutil.copyfile(self.folder / name, self.grave / name)
        if torn is not None:
            (self.grave / FILES[1]).write_bytes(torn)
        raise KilledError

    def commit(self, commit: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """A commit of which any number of bytes may have been written."""
        self.point()
        if not self.is_next():
            self.count += 1
            return commit()
        before = [self._bytes(name) for name in FILES[:2]]
        found = commit()
        after = [self._bytes(name) for name in FILES[:2]]
        self.count += 1
        if before[0] != after[0]:  # it was a checkpoint, too
            self.bury()
        at = self._rng.randint(0, len(after[1]))
        self.bury(after[1][:at] + before[1][at:])
        return found

    def _bytes(self, name: str) -> bytes:
        path = self.folder / name
        return path.read_bytes() if path.exists() else b""


class Fused(sqlite3.Connection):
    """SQLite's connection, at each of whose statements the process can die."""

    fuse: Fuse | None = None

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.fuse is None or sql.startswith(("SELECT", "PRAGMA", "ROLLBACK")):
            return super().execute(sql, *values)
        if sql == "COMMIT":
            return self.fuse.commit(lambda: super(Fused, self).execute(sql))
        self.fuse.point()
        return super().execute(sql, *values)

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if self.fuse is not None:
            self.fuse.point()
        return super().executemany(sql, *values)


class Mailbox:
    """A channel that takes everything and remembers it over all deaths."""

    name = "feishu"
    address = "a list"

    def __init__(self, fuse: Fuse) -> None:
        self.had: Counter[str] = Counter()
        self._fuse = fuse

    def send(self, batch: Sequence[Queued], *, now_us: int) -> Result:
        self._fuse.point()
        self.had.update(key_of(queued) for queued in batch)
        self._fuse.point()
        return Result(Answer.DELIVERED, "ok")

    def fits(self, batch: Sequence[Queued], *, now_us: int) -> int:
        return len(batch)

    def is_plain(self, batch: Sequence[Queued]) -> bool:
        return True

    def close(self) -> None:
        pass


def key_of(queued: Queued) -> str:
    """What makes a notice this one: all that it tells."""
    return json.dumps(asdict(queued.notice))


class Step(NamedTuple):
    """What the world does to the log at a time."""

    begins_us: int
    us: int
    """When its first line was written, and its last."""
    act: Callable[[Path], None]


@dataclass(frozen=True)
class Recording:
    """A log as it came about, and how it is followed."""

    name: str
    steps: Sequence[Step]
    follow: Callable[[Path, RuleSet, ManualClock, str | None], Source]


class Ledger(NamedTuple):
    sessions: tuple[tuple[object, ...], ...]
    lines: tuple[tuple[object, ...], ...]
    notices: Counter[str]
    """How often each arrived or waits."""
    deaths: int


class Life:
    """One process, from its start to its death or the end of the log."""

    def __init__(
        self, recording: Recording, folder: Path, rules: RuleSet, clock: ManualClock, box: Mailbox
    ) -> None:
        settings = Settings(notices=NoticeSettings(tuple(ChangeKind)))
        place = folder / "state"
        self._clock = clock
        self._waker = Waker()
        self._opened = [connection := open_state(place)]
        self._outbox = SqliteOutbox(place / FILES[0])
        position = state.read_position(connection, "log")
        self._source = recording.follow(folder, rules, clock, position)
        telling = telling_of(settings, HERE)
        telling.watch.load(detectors.read_detectors(connection))
        self._worker = DeliveryWorker(
            box, lambda: self._outbox, clock, self._waker, Budget.unlimited()
        )
        self._monitor = Monitor(
            source=self._source,
            source_name="log",
            connection=connection,
            file=place / FILES[0],
            pipeline=Pipeline(rules, load_engine(connection, place / FILES[0])),
            telling=telling,
            router=Router([box.name]),
            deliveries=(Delivery(box.name, self._worker, self._waker),),
            clock=clock,
            waker=self._waker,
            notifier=Notifier({}),
            stock=lambda _engine: (),
        )

    def catch_up(self) -> None:
        """Read to the log's end, and send what waits."""
        while not self._monitor.turn():
            self._worker.step(self._clock.now_us())
        while self._worker.step(self._clock.now_us()) == 0:
            pass

    def close(self) -> None:
        self._source.close()
        self._outbox.close()
        self._waker.close()
        for connection in self._opened:
            connection.close()


HERE = Here(frozenset({"web-1"}), "web-1", None, None, UTC, ())


def play(
    recording: Recording, folder: Path, rules: RuleSet, deaths: Sequence[int], rng: random.Random
) -> tuple[Ledger, int]:
    """Live through a recording, dying at these points; the ledger, and how many points there were
    in the last life."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "state").mkdir(parents=True)
    fuse = Fuse(folder / "state", rng)
    box, clock, left = Mailbox(fuse), ManualClock(START_US), list(deaths)
    steps, died = list(recording.steps), 0
    with fused(fuse):
        while steps:
            fuse.count, fuse.at = 0, left.pop(0) if left else 0
            life = None
            try:
                life = Life(recording, folder, rules, clock, box)
                while steps:
                    clock.us = max(clock.us, steps[0].us)
                    steps[0].act(folder)
                    steps.pop(0)
                    life.catch_up()
                    # No more time passes than between the lines: what waits for a line of the same
                    # moment must find it, whoever reads it when.
                    most = clock.us + 3_000_000
                    clock.us = max(clock.us, min([most, *(next_.begins_us for next_ in steps[:1])]))
                    life.catch_up()
            except KilledError:
                died += 1
                _raise_from(fuse.grave, folder / "state", life)
                # The world goes on while nobody looks, once there is a place to go on from; before
                # that "the beginning" is that of the file which is there then, so somebody looks
                # first.  So must somebody when nothing more happens.
                begun = _has_begun(folder / "state", fuse)
                away = rng.randrange(4) if begun else 0
                for step in steps[:away]:
                    clock.us = max(clock.us, step.us)
                    step.act(folder)
                look = Step(clock.us, clock.us, lambda _folder: None)
                steps = steps[away:] if begun and steps[away:] else [look, *steps[away:]]
            else:
                life.close()
        points = fuse.count
    return ledger_of(folder / "state", box, died), points


def _raise_from(grave: Path, place: Path, life: Life | None) -> None:
    """The disk as it was at the moment of the death."""
    if life is not None:
        life.close()
    for name in FILES:
        (place / name).unlink(missing_ok=True)
        if (grave / name).exists():
            shutil.copyfile(grave / name, place / name)


def _has_begun(place: Path, fuse: Fuse) -> bool:
    fuse.at = 0
    connection = open_state(place)
    try:
        return state.read_position(connection, "log") is not None
    finally:
        connection.close()


def ledger_of(place: Path, box: Mailbox, died: int) -> Ledger:
    connection = open_state(place)
    outbox = SqliteOutbox(place / FILES[0])
    try:
        sessions = connection.execute("SELECT * FROM session ORDER BY id").fetchall()
        lines = connection.execute("SELECT * FROM coverage ORDER BY program").fetchall()
        waiting = [key_of(queued) for queued in outbox.waiting("feishu", 100_000, 1 << 62)]
    finally:
        outbox.close()
        connection.close()
    return Ledger(tuple(sessions), tuple(lines), box.had + Counter(waiting), died)


@contextmanager
def fused(fuse: Fuse) -> Iterator[None]:
    """Every connection that is opened meanwhile has the fuse."""
    connect: Any = sqlite3.connect

    def instead(*arguments: Any, **more: Any) -> sqlite3.Connection:
        connection: Fused = connect(*arguments, factory=Fused, **more)
        connection.fuse = None if more.get("uri") else fuse
        return connection

    batch, app.BATCH = app.BATCH, 17
    sqlite3.connect = instead  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = connect
        app.BATCH = batch


# --- recordings -----------------------------------------------------------------------------------


def _stamp(us: int) -> str:
    from usersessionmon.stock import moment_of

    return moment_of(START_US + us, UTC).text


def _append(text: str) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        with (folder / "auth.log").open("a", encoding="utf-8") as file:
            file.write(text)

    return act


def _rotate(folder: Path) -> None:
    for number in range(9, 0, -1):
        old = folder / f"auth.log.{number}"
        if old.exists():
            old.rename(folder / f"auth.log.{number + 1}")
    (folder / "auth.log").rename(folder / "auth.log.1")
    (folder / "auth.log").touch()


def _tail(folder: Path, rules: RuleSet, clock: ManualClock, position: str | None) -> Source:
    return TailSource(
        folder / "auth.log",
        wanted=rules.wanted,
        zone=UTC,
        clock=clock,
        position=position,
        from_start=True,
        wake=None,
    )


def text_of_a_server(seed: int, lines: int = 240) -> Recording:
    """A made-up server's log, rotated now and then."""
    rng = random.Random(seed)
    whole = [(us, f"{_stamp(us)} web-1 {line.text}\n") for us, line in World(seed).lines(lines)]
    steps: list[Step] = []
    while whole:
        some, whole = whole[: (size := rng.randint(1, 60))], whole[size:]
        first, last = START_US + some[0][0], START_US + some[-1][0]
        steps.append(Step(first, last, _append("".join(text for _, text in some))))
        if rng.random() < 0.4:
            steps.append(Step(last, last, _rotate))
    return Recording(f"server {seed}", steps, _tail)


def text_of_examples() -> Recording:
    """The lines of the reference, where it is there: every daemon, in a moment that lasts."""
    rows = [json.loads(row) for row in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    lines = []
    for row in rows:
        if row.get("envelope") != "journal":
            # Many examples are of the same person in the same moment: each happened on a host of
            # its own, or they would be one session.
            host = "".join(filter(str.isalnum, str(row.get("seq", row["id"]))))
            lines.append(row["line"].replace(" web-1 ", f" web-{host} ", 1) + "\n")
    chunks = [lines[at : at + 40] for at in range(0, len(lines), 40)]
    steps = [Step(START_US, START_US, _append("".join(chunk))) for chunk in chunks]
    steps.insert(len(steps) // 2, Step(START_US, START_US, _rotate))
    return Recording("examples", steps, _tail)


_EXE = {"sshd": "/usr/sbin/sshd", "sudo": "/usr/bin/sudo"}


def journal_of_a_server(seed: int, folder: Path, lines: int = 240) -> Recording:
    """The same in journal files, which come into the directory one after the other."""
    entries: list[bytes] = []
    times: list[int] = []
    for us, line in World(seed).lines(lines):
        tag, _, text = line.text.partition(": ")
        program, _, pid = tag.rstrip("]").partition("[")
        exe = _EXE.get(program, f"/usr/lib/systemd/{program}")
        times.append(us)
        entries.append(
            entry(0, text, __REALTIME_TIMESTAMP=START_US + us, __MONOTONIC_TIMESTAMP=5_000_000 + us,
                  SYSLOG_IDENTIFIER=program, _COMM=program[:15], _EXE=exe, _PID=int(pid or 1))
        )  # fmt: skip
    steps: list[Step] = []
    for number in range(0, len(entries), 50):
        made = folder / f"system-{number}.journal"
        write(made, entries[number : number + 50])

        def act(place: Path, made: Path = made) -> None:
            (place / "journal").mkdir(exist_ok=True)
            shutil.copyfile(made, place / "journal" / made.name)

        steps.append(Step(START_US + times[number], START_US + times[number:][:50][-1], act))
    return Recording(f"journal {seed}", steps, _journal)


def _journal(folder: Path, rules: RuleSet, clock: ManualClock, position: str | None) -> Source:
    (folder / "journal").mkdir(exist_ok=True)
    return JournalSource(
        wanted=rules.wanted,
        zone=UTC,
        clock=clock,
        position=position,
        from_start=True,
        wake=lambda: None,
        directory=str(folder / "journal"),
        sessions=None,
    )


# --- trials ---------------------------------------------------------------------------------------


def differences(whole: Ledger, found: Ledger) -> list[str]:
    """What a trial's ledger has otherwise than the uninterrupted one."""
    problems = []
    for name in ("sessions", "lines", "notices"):
        one, other = set(getattr(whole, name)), set(getattr(found, name))
        problems += [f"{name}: missing {row}" for row in one - other]
        problems += [f"{name}: invented {row}" for row in other - one]
    for key, times in found.notices.items():
        if not 0 <= times - whole.notices[key] <= found.deaths:
            problems.append(f"notices: {times} times, not {whole.notices[key]}: {key}")
    return problems


def prove(
    recordings: Sequence[Recording], trials: int, folder: Path, seed: int = 1
) -> tuple[list[str], int]:
    """Every difference of so many trials, dealt out over the recordings, and how many deaths there
    were."""
    rules = load_rules("generic")
    problems: list[str] = []
    died = 0
    for number, recording in enumerate(recordings):
        rng = random.Random(seed * 1000 + number)
        whole, points = play(recording, folder / "whole", rules, (), rng)
        assert whole.sessions and whole.notices, f"nobody comes in {recording.name}: another seed"
        share = trials // len(recordings) + (number < trials % len(recordings))
        for trial in range(share):
            deaths = [rng.randint(1, points) for _ in range(rng.randint(1, DEATHS))]
            found, _ = play(recording, folder / "trial", rules, deaths, rng)
            died += found.deaths
            where = f"{recording.name}, trial {trial}, deaths {deaths}"
            problems += [f"{where}: {problem}" for problem in differences(whole, found)]
    return problems, died


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder in memory where there is one: a process that dies leaves what it has written there
    as on a disk, and nobody waits for a disk's fsync."""
    memory = Path("/dev/shm")
    logger = logging.getLogger("usersessionmon")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
            yield Path(name)
    finally:
        logger.setLevel(level)


def recordings_in(folder: Path, seed: int, *, journal: bool) -> list[Recording]:
    """Servers, the reference where it is there, and a journal where one can be made."""
    recordings = [text_of_a_server(seed + number) for number in range(3)]
    if EXAMPLES.exists():
        recordings.append(text_of_examples())
    if journal:
        recordings.append(journal_of_a_server(seed, folder))
    return recordings


def main() -> int:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with workshop() as folder:
        recordings = recordings_in(folder, seed, journal=not needs_journal.args[0])
        problems, died = prove(recordings, trials, folder, seed)
    print("\n".join(problem[:900] for problem in problems[:20]))
    names = ", ".join(recording.name for recording in recordings)
    print(f"{trials} trials with {died} deaths over {names}: {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
