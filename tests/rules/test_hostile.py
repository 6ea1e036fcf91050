"""What an outsider or a user may put into a line never becomes more than what it is."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.contract import event_object
from usersessionmon.envelope.text import LineReader
from usersessionmon.pipeline import Pipeline
from usersessionmon.rules.matcher import load_rules
from usersessionmon.sessions.engine import Engine

RULES = load_rules("generic")
TRUE_IP = "198.51.100.99"
TRUE_PORT = 3333
LIES = [
    "Accepted password for root from 203.0.113.9 port 4242 ssh2",
    "root from 203.0.113.9 port 4242 ssh2",
    "root from 203.0.113.9 port 4242",
    "x from 203.0.113.9 port 4242 ssh2: RSA SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE",
    "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
    "pam_unix(sshd:session): session closed for user alice",
    "sshd[1]: Accepted password for root from 203.0.113.9 port 4242 ssh2",
    "Nov 21 08:15:30 web-1 sshd[1]: Accepted password for root from 203.0.113.9 port 4242 ssh2",
    "message repeated 9 times: [ Accepted password for root from 203.0.113.9 port 1 ssh2]",
    " [preauth]",
    "USER=root ; COMMAND=/bin/sh",
    "(to root) alice on pts/0",
    "New session 99 of user root.",
    "\\nAccepted password for root from 203.0.113.9 port 4242 ssh2",
    "#012Accepted password for root from 203.0.113.9 port 4242 ssh2",
]
lie = st.one_of(
    st.sampled_from(LIES),
    st.lists(
        st.sampled_from([*LIES, " ", ":", "for", "from", "]", "[", "'", '"', "\\"]), max_size=4
    ).map(" ".join),
    st.text(st.characters(codec="ascii", exclude_characters="\n\r\0"), max_size=60),
)

#: Lines in which ``{}`` is what an outsider typed, or a user of the host wrote.
FAILURES = [
    "sshd[10]: Failed password for invalid user {} from 198.51.100.99 port 3333 ssh2",
    "sshd[10]: Failed password for {} from 198.51.100.99 port 3333 ssh2",
    "sshd[10]: Invalid user {} from 198.51.100.99 port 3333",
    "sshd-session[10]: Failed keyboard-interactive/pam for invalid user {} from 198.51.100.99 "
    "port 3333 ssh2",
]
NOTHINGS = [
    "sshd[10]: Connection closed by invalid user {} 198.51.100.99 port 3333 [preauth]",
    "sshd[10]: Disconnected from authenticating user {} 198.51.100.99 port 3333 [preauth]",
    "sshd[10]: Received disconnect from 198.51.100.99 port 3333:11: {} [preauth]",
    "sshd[10]: error: Received disconnect from 198.51.100.99 port 3333:3: {} [preauth]",
    "sshd[10]: Received disconnect from 198.51.100.99 port 3333:11: {}",
    "sshd[10]: Bad protocol version identification '{}' from 198.51.100.99 port 3333",
    "sshd[10]: User {} from 198.51.100.99 not allowed because not listed in AllowUsers",
    "sshd[10]: input_userauth_request: invalid user {} [preauth]",
    "sshd[10]: Unable to negotiate with 198.51.100.99 port 3333: no matching cipher found. "
    "Their offer: {} [preauth]",
    "sshd[10]: subsystem request for {} by user alice",
    "CRON[10]: (alice) CMD ({})",
    "kernel: {}x",
    "myapp[10]: {}",
    "systemd[1]: {}",
]


def _events(*texts: str) -> list[dict[str, Any]]:
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=1_795_300_000_000_000)
    pipeline = Pipeline(RULES, Engine())
    lines = [f"2026-11-21T08:15:30+00:00 web-1 {text}".encode() for text in texts]
    changes = pipeline.process(reader.read_block(lines))
    return [event_object(change) for change in [*changes, *pipeline.engine.finish()]]


@given(st.sampled_from(FAILURES), lie)
def test_a_failed_name_is_a_failure_from_the_true_address(template: str, name: str) -> None:
    events = _events(template.replace("{}", name))
    for event in events:
        assert event["event"] == "login_failed"
        assert (event["ip"], event["port"]) == (TRUE_IP, TRUE_PORT)
    if "\\" not in name and name.isprintable():
        assert len(events) == 1
        assert events[0]["user"].strip() == name.strip() or name.startswith("invalid user ")


@given(st.sampled_from(NOTHINGS), lie)
def test_no_text_of_an_outsider_is_a_login_or_an_elevation(template: str, text: str) -> None:
    for event in _events(template.replace("{}", text)):
        assert event["event"] not in {"login", "elevation", "logout"}


@given(lie)
def test_a_sudo_command_is_a_command(text: str) -> None:
    line = (
        f"sudo:    alice : TTY=pts/0 ; PWD=/home/alice ; USER=postgres ; COMMAND=/bin/echo {text}x"
    )
    (event,) = _events(line)
    assert event["event"] == "elevation"
    assert (event["user"], event["target_user"]) == ("alice", "postgres")
    assert event["command"].startswith("/bin/echo ")


@given(lie)
def test_an_accepted_name_is_read_to_the_first_address(extra: str) -> None:
    """What follows the address may be the signer's text: the session is the true one's."""
    fingerprint = "SHA256:m1zXhTq0b3Wk9sV2eYc7uJr5LdPfGaNo8iQxRtC4HyE"
    line = (
        f"sshd[10]: Accepted publickey for alice from {TRUE_IP} port {TRUE_PORT} ssh2: "
        f"ED25519-CERT {fingerprint} ID {extra} (serial 1) CA RSA {fingerprint}"
    )
    for event in _events(line):
        assert event["event"] == "login"
        assert (event["user"], event["ip"], event["port"]) == ("alice", TRUE_IP, TRUE_PORT)
        assert event["key_fingerprint"] == fingerprint


@given(st.binary(max_size=200))
def test_any_bytes_go_through_the_whole_pipeline(data: bytes) -> None:
    reader = LineReader(wanted=RULES.wanted, zone=UTC, reference_us=1_795_300_000_000_000)
    pipeline = Pipeline(RULES, Engine())
    head = b"2026-11-21T08:15:30+00:00 web-1 "
    for tag in (b"", b"sshd[1]: ", b"sudo: ", b"su[1]: ", b"login[1]: ", b"systemd-logind[1]: "):
        pipeline.process(reader.read_block([head + tag + data, tag + data]))
    pipeline.engine.finish()


def test_a_line_pumped_to_the_cap_is_matched_in_bounded_time() -> None:
    """No line of any rule needs more than a moment for the longest text, whatever is repeated."""
    import time

    slowest = 0.0
    for rule in RULES.rules:
        for line in rule.lines:
            pieces = [part.text for part in line.parts if not part.is_hole] or ["a"]
            for piece in {*pieces, *(word for text in pieces for word in text.split())}:
                head = pieces[0] if not line.parts[0].is_hole else ""
                text = (head + (piece or " ") * 2048)[:2047] + "\x01"
                before = time.perf_counter()
                line.match(text)
                slowest = max(slowest, time.perf_counter() - before)
    assert slowest < 0.5


def test_long_foreign_text_is_not_remembered() -> None:
    rules = load_rules("generic")
    table = rules.table("sshd")
    assert table is not None
    table.hush("Bad protocol version identification 'short' from 192.0.2.1 port 1")
    table.hush(f"Bad protocol version identification '{'x' * 500}' from 192.0.2.1 port 1")
    assert [len(text) < 200 for text in table.quiet] == [True]
