"""The types that travel through the program, from a log line to a notice.

Source → ``Record`` → rules → ``Event`` → sessions → ``Change`` → wording → ``Notice`` → channel.
Nothing here does I/O and nothing here reads a clock.  What a *line* means (``Means``) and what
happened to a *person* (``ChangeKind``) are two vocabularies; only the session engine translates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypedDict


class Moment(NamedTuple):
    """An instant: ``us`` microseconds since the epoch (UTC) for reckoning, and ``text``, RFC 3339
    with the source's own offset and full precision, for showing."""

    us: int
    text: str


class Trusted(NamedTuple):
    """What the logger itself vouches for: journald (systemd.journal-fields(7), the names with
    ``_``), or Windows' event log."""

    transport: str
    uid: int | None
    exe: str | None = None
    comm: str | None = None
    unit: str | None = None
    audit_session: str | None = None
    sid: str | None = None
    """Windows' account; ``uid`` then says no more than whether it is the system's (0)."""


class Forger(NamedTuple):
    """Who wrote lines in another's name, as far as the logger vouches for it."""

    host: str | None
    program: str
    """In whose name: the tag."""
    uid: int | None
    exe: str | None
    comm: str | None
    unit: str | None
    sid: str | None = None


class Forged(NamedTuple):
    """Lines that were written in another's name.  Nothing of their text is kept."""

    counts: Mapping[Forger, int]
    more: int
    """Lines of further writers, beyond those that are told apart."""
    first_us: int
    last_us: int


class WindowsEvent(NamedTuple):
    """What a record of a Windows event log says beside its time, its host and its process."""

    channel: str
    """The record's own (``System/Channel``): ``Security``, ``System``,
    ``Microsoft-Windows-TerminalServices-LocalSessionManager/Operational`` …"""
    provider: str
    id: int
    """The event id, without qualifiers: 4624."""
    version: int
    record_id: int
    """``EventRecordID``: the order within one channel of one host."""
    fields: Mapping[str, str]
    """``EventData`` by name, unnamed values by position ("1", "2", …); of ``UserData`` the local
    names; stripped, and what Windows writes for nothing ("-", "", "0x0") left out."""
    origin: str
    """Whose log it is, the same for all channels of one host: a server as the configuration names
    it, the host of a file.  A computer's name may change in the middle of its log."""
    beside: frozenset[str]
    """The channels of this host that are read, this one among them."""


class Record(NamedTuple):
    """One log line, its header read and its text untouched.  It holds no meaning."""

    time: Moment
    host: str | None
    program: str
    pid: int | None
    text: str
    boot: str | None = None
    """The boot id (32 hex digits) where the source knows it, else None."""
    mono_us: int | None = None
    """Microseconds on the boot's monotonic clock, where the source gives them."""
    time_inferred: bool = False
    """True when the year or the zone was concluded and not written."""
    trusted: Trusted | None = None
    """None for text logs, which can prove nothing."""
    fields: Mapping[str, str] | None = None
    """The sender's structured journal fields that rules may use (SESSION_ID, USER_ID, LEADER,
    MESSAGE_ID, SHUTDOWN, CLASS, TYPE).  Only as believable as ``trusted`` makes them."""
    windows: WindowsEvent | None = None
    """Of a Windows event log, where the text is empty; None for lines."""


WINDOWS = "windows"
"""The ``service`` of Windows' desktop sessions: one session may have many connections there, and an
account's name is the same in capitals."""


class Term(StrEnum):
    """A vocabulary whose words are looked up often: hashed as the text that they are."""

    __hash__ = str.__hash__  # Enum's own is a Python function; this one is C


class Means(Term):
    """What a log line says.  A rule names one of these."""

    ACCEPTED = "accepted"  # a remote login was let in (sshd, dropbear, ftp daemons)
    FAILED = "failed"  # one attempt to log in failed
    FAILED_HINT = "failed_hint"  # tells of an attempt that usually has a FAILED line of its own
    KEY_REFUSED = "key_refused"  # a key was offered and not taken: no failure if a login follows
    INVALID_USER = "invalid_user"  # the account does not exist
    REFUSED_USER = "refused_user"  # the account exists and may not log in
    CONNECTED = "connected"  # a connection began; nobody is logged in
    PREAUTH_END = "preauth_end"  # a connection ended before anybody was logged in
    OPENED = "opened"  # PAM opened a session
    CLOSED = "closed"  # PAM closed a session
    LOGGED_IN = "logged_in"  # login(1) and others: this account is in, on this tty
    ENDED = "ended"  # the program itself says that the session is over (dropbear, xrdp)
    LEFT = "left"  # the line of a logout: the client of this session left
    DISCONNECTED = "disconnected"  # why a connection ends: the client closed it
    LOST = "lost"  # … the network failed
    TIMED_OUT = "timed_out"  # … the server gave up waiting
    KILLED = "killed"  # … it was ended on the server
    CHILD = "child"  # sshd names the pid of the user's child
    TTY = "tty"  # a session's terminal
    ELEVATED = "elevated"  # su, sudo: became somebody else
    ELEVATION_OPENED = "elevation_opened"  # PAM's session of a su or sudo that has its own line
    ELEVATION_CLOSED = "elevation_closed"  # … and its end
    ELEVATION_ENDED = "elevation_ended"  # sudo: a command ended, or is made to look so
    ELEVATION_FAILED = "elevation_failed"  # tried to become somebody else, wrong password
    SESSION_NEW = "session_new"  # logind: a session began
    SESSION_LEFT = "session_left"  # logind: logged out, or removed
    SESSION_IDLE = "session_idle"  # logind stops an idle session
    SESSION_STOPPED = "session_stopped"  # the host's service manager ends a session's processes
    SHUTDOWN = "shutdown"  # the host is going down
    SLEEPS = "sleeps"  # the host is about to be suspended
    WOKE = "woke"  # … and goes on
    BOOT = "boot"  # the host has come up
    BOOT_HINT = "boot_hint"  # looks like a boot, and may be the restart of one daemon
    LISTENING = "listening"  # sshd (re)started
    LOGGER_STOPPED = "logger_stopped"  # journald was stopped in order: at a shutdown, or restarted
    LISTENER_STOPPED = "listener_stopped"  # sshd's listener ends; sessions live on
    LOSS = "loss"  # the logger says that lines are missing
    REPEATED = "repeated"  # "last message repeated N times"
    NOTHING = "nothing"  # understood, and of no consequence


class Captures(TypedDict, total=False):
    """What a rule took out of a line.  A missing key: the line does not say."""

    user: str
    ip: str | None
    client_host: str | None
    port: int | None
    method: str
    key_type: str
    key_fingerprint: str | None
    key_id: str
    valid_user: bool
    count: int
    reason: str
    abnormal: bool
    target_user: str
    command: str
    tty: str
    child_pid: int
    monitor_pid: int
    logind_session: str
    logind_class: str
    leader: int
    uid: int
    by_user: str
    by_uid: int
    pam_module: str
    pam_service: str
    pam_phase: str
    shutdown: str


class Proof(Term):
    """How far an event may be believed."""

    TEXT = "text"  # a text log: whoever may call syslog(3) may have written it
    TRUSTED = "trusted"  # the journal's trusted fields prove the sender
    ANNOTATES = "annotates"  # written with a session user's own uid: may explain, never open or end


class Event(NamedTuple):
    """What one line means: the rule's verdict and captures.  Nothing remembered."""

    record: Record
    means: Means
    service: str
    """The contract's ``service``: sshd, login, su, sudo, gdm, …"""
    rule: str
    got: Captures
    proof: Proof = Proof.TEXT
    repeat: int = 1
    """How many such lines this one stands for (``message repeated N times: [ … ]``)."""


class ChangeKind(Term):
    """The contract's events."""

    LOGIN = "login"
    LOGOUT = "logout"
    LOGIN_FAILED = "login_failed"
    ELEVATION = "elevation"


class Reason(Term):
    """How a session ended (the contract's ``reason``)."""

    USER = "user"
    NETWORK = "network"
    TIMEOUT = "timeout"
    KILLED = "killed"
    SHUTDOWN = "shutdown"
    REBOOT = "reboot"
    UNKNOWN = "unknown"


ABNORMAL = frozenset({Reason.NETWORK, Reason.TIMEOUT, Reason.KILLED})
"""These are the contract's ``abnormal`` always; a reboot is when nobody had asked for it."""


class Link(Term):
    """By what the session of an elevation was found."""

    AUDIT = "audit_session"  # the kernel's id of the session, for which the journal vouches
    PROCESS = "process"  # its process comes from the session's, as the live host shows
    LOGON = "logon_id"  # Windows' id of the logon session, which the system itself records
    TTY = "tty"  # the line names the session's terminal
    ONLY = "only_session"  # concluded: the caller has no other session on this host


class NamedBy(Term):
    """Who gave a key the name that it goes by."""

    CONFIG = "config"  # the configuration's map
    CERTIFICATE = "certificate"  # the key id that its authority signed
    COMMENT = "comment"  # authorized_keys: whatever the account's owner wrote there


class Doubt(StrEnum):
    """What the live host says against a login that a text log tells of.  It marks, no more."""

    NO_PROCESS = "no_process"  # the process that the line names is not there
    OTHER_PROCESS = "other_process"  # it is there, and is no sshd
    EARLIER_SESSION = "earlier_session"  # it had logged somebody in before, which it does but once


class Change(NamedTuple):
    """Something that happened to a person: one of the contract's events.

    ``duration`` is in seconds.  Fields that an event does not have stay at their defaults and are
    left out of its JSON object (``contract_fields``).
    """

    kind: ChangeKind
    time: Moment
    host: str | None
    service: str
    user: str | None = None
    ip: str | None = None
    client_host: str | None = None
    port: int | None = None
    method: str | None = None
    key_fingerprint: str | None = None
    session: str | None = None
    valid_user: bool | None = None
    times: int = 1
    """The contract's ``count``: how many attempts this stands for."""
    reason: Reason | None = None
    abnormal: bool = False
    duration: float | None = None
    inferred: bool = False
    target_user: str | None = None
    command: str | None = None
    tty: str | None = None
    login_time: Moment | None = None
    pid: int | None = None
    """The process that the log names; for the look at the live host."""
    doubt: Doubt | None = None
    key_name: str | None = None
    """Whose key it is, and by ``key_named_by`` who says so; of an elevation the session's."""
    key_named_by: NamedBy | None = None
    login_user: str | None = None
    """Of an elevation: who had logged in, and from where (an address or a name)."""
    login_from: str | None = None
    link: Link | None = None
    by_user: str | None = None
    by_ip: str | None = None
    """Of a logout: who ended the session, where somebody else did, and from where."""
    kept: bool = False
    """Of a logout: the desktop session lives on, with nobody in it (Windows)."""
    again: bool = False
    """Of a login: back in a session that had lived on."""
    domain: str | None = None
    """Of a Windows account."""

    @property
    def is_replaced(self) -> bool:
        """Whether somebody's connection was ended by another one of their own."""
        by = self.by_user
        return by is not None and by.casefold() == (self.user or "").casefold()


class Oddity(Term):
    """What can be unusual about a login or a logout."""

    SUCCESS_AFTER_FAILURES = "success_after_failures"
    FIRST_LOGIN = "first_login"  # of this user on this host
    FIRST_NETWORK = "first_network"  # of this user from this network
    FIRST_ADDRESS = "first_address"
    ROOT_PASSWORD = "root_password"  # noqa: S105 - no password
    OUTSIDE_HOURS = "outside_hours"  # those of the configuration
    UNUSUAL_HOUR = "unusual_hour"  # against the user's own
    TWO_PLACES = "two_places"
    LONG_SESSION = "long_session"  # longer than the configuration allows
    LONGER_THAN_USUAL = "longer_than_usual"
    ABNORMAL_AGAIN = "abnormal_again"


class Finding(NamedTuple):
    """One unusual thing about a login or a logout, with what it is concluded from."""

    oddity: Oddity
    place: str = ""
    """Networks, an address, or hours of the day."""
    times: int = 0
    total: int = 0
    """How many logins or sessions are known, of which ``times`` may be a part."""
    seconds: float = 0.0
    since_us: int = 0
    """From when on all is known."""


class Company(NamedTuple):
    """What goes with a login or logout of a person whose connections are told as one."""

    others: int = 0
    """Connections of the same person that are open beside this one."""
    connections: int = 0
    """Of a departure: how many there were in all; 0: it is none, or was of a single one."""
    addresses: tuple[str, ...] = ()
    more: bool = False
    """There were others, beyond those that are remembered."""
    begun: Moment | None = None
    """Of a departure: when the first connection began …"""
    duration: float | None = None
    """… and the seconds from then on."""


class Tally(NamedTuple):
    """What the connections of one purpose did."""

    purpose: str
    since_us: int = 0
    """When the first that is counted was."""
    logins: int = 0
    logouts: int = 0
    failures: int = 0
    alone: int = 0
    """Of the logins and logouts, those that were told by themselves."""
    addresses: tuple[str, ...] = ()
    more: bool = False
    """There were others, beyond those that are remembered."""
    longest: float = 0.0
    """Seconds of the longest session that ended."""


class Scope(Term):
    """What many failures have in common."""

    ADDRESS = "address"
    ACCOUNT = "account"
    HOST = "host"
    SWEEP = "sweep"  # an address that tries names that do not exist


class Bout(NamedTuple):
    """Many failures that belong together: at their beginning, or summed up at their end."""

    scope: Scope
    over: bool
    host: str | None
    subject: str
    """The address (of IPv6 the network) or the account; empty for a host."""
    began_us: int
    last_us: int
    at_us: int
    """When this was clear."""
    times: int
    names: tuple[str, ...]
    """Accounts, or addresses where an account is the subject, in the order of their first."""
    more: bool
    """There were others, beyond those that are remembered."""
    minutes: int
    """Within how many it was found; when over, how many were quiet."""
    day: bool = False
    """It goes on: this is the sum of a day, and the next begins at nought."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """One row of ``who``, ``history`` and ``scan --sessions``."""

    session: str
    host: str | None
    service: str
    user: str | None
    ip: str | None
    port: int | None
    method: str | None
    key_fingerprint: str | None
    login_time: Moment | None
    logout_time: Moment | None
    duration: float | None
    reason: Reason | None
    abnormal: bool
    inferred: bool
    state: str
    """``open`` or ``closed``"""
    tty: str | None
    pid: int | None = None
    """The pid of the process that holds the session (sshd's monitor), for the look at the host."""
    boot: str | None = None
    logind: str | None = None
    """logind's id of the session, while it is open."""
    ticks: int | None = None
    """When its process began, in ticks since the boot, once the live host has shown it."""
    mono_us: int | None = None
    """The login on the boot's monotonic clock, where the source gave it."""
    child: tuple[int, int] | None = None
    """The user's own process behind it (sshd's child), by pid and ticks, once it was seen."""
    elevated_to: tuple[str, ...] = ()
    """Who they are at this moment by su or sudo, one within the other; the innermost last."""
    became: tuple[str, ...] = ()
    """Everybody they became in the course of the session, each once."""
    key_name: str | None = None
    key_named_by: NamedBy | None = None
    row: str = ""
    """The row's own id, where several rows share ``session`` (the connections of one Windows
    desktop); empty: ``session``."""
    by_user: str | None = None
    by_ip: str | None = None
    """Who ended it, where somebody else did, and from where."""
    kept: bool = False
    """The connection is over and the desktop session lives on, with nobody in it."""

    @property
    def key(self) -> str:
        """What tells it from all other rows."""
        return self.row or self.session


class Claim(NamedTuple):
    """Somebody asks to have a host for themselves, for a while.  Moments are microseconds UTC."""

    host: str
    user: str
    made_by: str
    """Who called the command; mostly the user."""
    note: str
    made_us: int
    until_us: int
    released_us: int | None = None
    """When it was ended before its time; None: it was not."""
    released_by: str | None = None
    number: int = 0
    """Its row; 0: it has none yet."""


class PersonDay(NamedTuple):
    """One user in the daily report."""

    user: str | None
    sessions: int
    on_now: int
    """How many of them are still open."""
    seconds: float
    """All of them together, within the time of the report."""
    addresses: tuple[str, ...]
    """The most frequent first."""
    more: bool
    """There were others, beyond those that are remembered."""
    became: tuple[str, ...]
    """By su and sudo."""


class Report(NamedTuple):
    """What the daily report says.  Moments are microseconds UTC."""

    since_us: int
    until_us: int
    people: tuple[PersonDay, ...]
    """Those with the most sessions first."""
    more_people: int
    """How many there are beyond these."""
    sessions: int
    on_now: int
    abnormal: int
    failures: int
    """Of the hours that were over."""
    failed_from: tuple[tuple[str, int], ...]
    failed_as: tuple[tuple[str, int], ...]
    """Addresses and accounts with the most of them; empty: the log named none."""
    understood: int
    lines: int
    last_line_us: int | None
    waiting: int
    dropped: int
    """Notices."""


class Severity(StrEnum):
    ROUTINE = "routine"
    ABNORMAL = "abnormal"


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told, free of any channel's format.

    ``title`` is the first line.  ``pairs`` are (name, value) lines, in order; values are raw text
    from the log and each channel makes them harmless in its own way.  ``digest`` is the one line
    that stands for this notice when many are told at once.
    """

    kind: str
    """``login``, ``logout``, ``login_failed``, ``elevation``, ``test``, ``forged``, ``failures``"""
    severity: Severity
    title: str
    pairs: tuple[tuple[str, str], ...]
    digest: str
    at_us: int
    """When it happened (microseconds UTC): the event's time, not the time of sending."""
    user: str | None = None
    ip: str | None = None
    host: str | None = None
    """Whom and what it is about, raw: what routes look at."""
    people: tuple[str, ...] = ()
    """Names under which the configuration's ``people`` may know whose account it is."""
    event: str = ""
    """The contract's event as JSON, for channels that are read by programs; empty: none."""
    not_to: str = ""
    """The channel that it must not go to: what is told is that this one does not work."""
    clear_us: int = 0
    """When it was clear that it is to be told, where that is after ``at_us``: only from then on can
    it be late."""


class Batch(NamedTuple):
    """What one look at a source gave."""

    records: Sequence[Record]
    position: str | None
    """Opaque to all but the source that made it (JSON text); None: not moved."""
    at_end: bool
    """True when there was nothing more to read at that moment."""
    notes: tuple[str, ...] = ()
    """Sentences for people about what happened to the log (rotated, truncated, lines missing)."""
    lines: int = 0
    """Lines or entries looked at, those that do not matter included."""
