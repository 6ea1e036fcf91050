"""sudo's JSON form: whatever the caller writes into it stays what it is."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.model import Event, Means, Moment, Record
from usersessionmon.rules.matcher import load_rules
from usersessionmon.rules.sudo_json import MAX_JSON, said_again

RULES = load_rules("generic")


def _means(text: str) -> Event | None:
    return RULES.match(Record(Moment(0, ""), None, "sudo", None, text))


def _line(kind: str = "accept", **members: Any) -> str:
    known = {"submituser": "alice", "command": "/usr/bin/id", "runuser": "root"}
    body = json.dumps({"sudo": {kind: {**known, **members}}}, separators=(",", ":"))
    return f"@cee:{body}"


def _elevation(text: str) -> tuple[Any, Any, Any]:
    event = _means(text)
    assert event is not None
    assert event.means is Means.ELEVATED
    return event.got.get("user"), event.got.get("target_user"), event.got.get("command")


def test_a_real_line_with_all_that_sudo_writes() -> None:
    text = _line(
        uuid="6f0c2a9e-31",
        server_time={"seconds": 1795265729, "nanoseconds": 7, "localtime": "Nov 21 12:55:29"},
        runcwd="/",
        ttyname="/dev/pts/0",
        runuid=0,
        columns=80,
        runargv=["/bin/sh", "-c", "it's 3", ""],
        runenv=["SUDO_COMMAND=/bin/sh", 'X={"sudo":{"accept":{"runuser":"bin"}}}'],
    )
    assert _elevation(text) == ("alice", "root", r"/usr/bin/id -c 'it\'s 3' ''")


_LIES = st.sampled_from(
    [
        '","runuser":"bin',
        " ; USER=bin ; COMMAND=/bin/true",
        "x : TTY=pts/0 ; PWD=/ ; USER=bin ; COMMAND=/bin/true",
        " as bin: /bin/true",
        "3 incorrect password attempts",
        "\n\x1b[31m\ud800",
        "}}}",
    ]
)


@given(st.lists(_LIES | st.text(max_size=20), max_size=3), _LIES | st.text(max_size=20))
def test_nothing_that_the_caller_chooses_becomes_another_field(given: list[str], lie: str) -> None:
    text = _line(command=f"/bin/{lie}", runcwd=lie, ttyname=lie, runargv=["x", *given], env=[lie])
    user, target, command = _elevation(text)
    assert (user, target) == ("alice", "root")
    assert command.startswith("/bin/")
    assert command.isprintable()


def test_the_text_form_within_the_json_is_not_read() -> None:
    """The text form's rule would take this for what somebody of a strange name did."""
    for text in ('@cee:{"sudo":{', '{"sudo":{"accept":{', '@cee: {"sudo"'):
        assert _means(f'{text}"runcwd":"/a : TTY=x ; USER=root ; COMMAND=/bin/sh') is None


def test_a_name_with_blanks_is_one_word() -> None:
    user, target, _ = _elevation(_line(submituser="CORP\\Jo Li", runuser="db admin"))
    assert (user, target) == ("CORP\\Jo#040Li", "db#040admin")


def test_a_line_that_the_logger_cut_gives_what_was_whole() -> None:
    text = _line(runargv=["id", "-u"], runenv=["A=" + "x" * 50_000])
    assert _elevation(text) == ("alice", "root", "/usr/bin/id -u")
    assert _elevation(text[: MAX_JSON // 4]) == ("alice", "root", "/usr/bin/id -u")
    assert _means(text[: text.index('"runuser"') + 14]) is None  # whose it was is not known


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (_line("reject", reason="3 incorrect password attempts"), 3),
        (_line("reject", reason="1 incorrect password attempt"), 1),
    ],
)
def test_wrong_passwords_are_counted(text: str, count: int) -> None:
    event = _means(text)
    assert event is not None
    assert event.means is Means.ELEVATION_FAILED
    assert event.got["count"] == count
    assert event.got["user"] == "alice"


@pytest.mark.parametrize(
    "text",
    [
        _line("reject", reason="user NOT in sudoers"),
        _line("alert", reason="unable to open log file"),
        '@cee:{"sudo":{"exit":{"uuid":"3d78","exit_value":0}}}',
    ],
)
def test_refusals_and_ends_are_no_elevation(text: str) -> None:
    event = _means(text)
    assert event is not None
    assert event.means is Means.NOTHING


@pytest.mark.parametrize(
    "text",
    [
        '{"sudo"',
        '{"sudo":[]}',
        '@cee:{"sudo":{"accept":[]}}',
        '@cee:{"sudo":{"accept":{"submituser":5,"command":{},"runuser":["root"]}}}',
        '@cee:{"sudo":{"accept":{"submituser":"a","runuser":"b","runuser":"c","command":"d"}}}',
        '@cee:{"sudo":{"accept":{"command":' + "[" * 10_000,
        '@cee:{"sudo":{"accept":{"command":' + '{"a":' * 10_000,
        '@cee:{"sudo":{"accept":{"runuid":' + "9" * 10_000 + ',"command":"x"}}}',
        '@cee:{"sudo":{"accept":{' + '"a":1,' * 10_000,
        '@cee:{"sudo":{"accept":{"submituser":"\\ud800","command":"\\u0000","runuser":""}}}',
    ],
)
def test_hostile_json_means_nothing_and_costs_nothing(text: str) -> None:
    begun = time.process_time()
    assert _means(text) is None
    assert len(said_again(text)) < 200
    assert time.process_time() - begun < 0.5
