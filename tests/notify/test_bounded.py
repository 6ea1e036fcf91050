"""Calls that are bounded from outside, and who has what of several receivers."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.notify.support import login, notice, queued
from usersessionmon.notify.bounded import ENDING, Bounded, Cord, Unfinished
from usersessionmon.notify.shares import MOST, Shares


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_the_sockets_of_a_call_are_cut_when_its_time_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def read(cord: Cord) -> str:
            with cord.watch(socket.create_connection(silent.getsockname())) as made:
                return f"{len(made.recv(1))} bytes"

        bounded = Bounded[str]("cut-call", 0.1)
        assert bounded.run({"": read}) == {"": Unfinished("no whole answer in 0.1 s")}
        for thread in threads("cut-call"):
            thread.join(5)
        assert not threads("cut-call"), "nothing else would ever end it"


def test_a_socket_that_is_made_too_late_is_closed() -> None:
    cord = Cord()
    cord.cut()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = socket.create_connection(silent.getsockname())
        with pytest.raises(ConnectionAbortedError):
            cord.watch(made)
        assert made.fileno() == -1


def test_one_hangs_and_the_others_go_on() -> None:
    release = threading.Event()
    bounded = Bounded[str]("hung-call", 0.1)

    def hang(_cord: Cord) -> str:
        release.wait(20)
        return "late"

    def quick(_cord: Cord) -> str:
        return "quick"

    late = Unfinished("no whole answer in 0.1 s")
    assert bounded.run({"a": hang, "b": quick}) == {"a": late, "b": "quick"}
    hung = Unfinished("the former attempt still hangs: none was made")
    for _ in range(2):
        assert bounded.run({"a": quick, "b": quick}) == {"a": hung, "b": "quick"}
        assert len(threads("hung-call")) == 1
    (thread,) = threads("hung-call")
    release.set()
    thread.join(5)
    assert bounded.run({"a": quick}) == {"a": "quick"}
    bounded.close()
    bounded.close()
    assert bounded.run({"a": quick}) == {"a": ENDING}


def test_what_is_remembered_of_receivers_is_bounded() -> None:
    shares = Shares()
    batch = [queued(number, notice(login())) for number in range(MOST + 1)]
    shares.note(batch, ["a"])
    assert shares.groups(batch, ["a", "b"]) == [(batch[:1], ["a"]), (batch, ["b"])]
    assert shares.anybody(batch[1:]) and not shares.anybody(batch)
    shares.forget(batch)
    assert shares.groups(batch[:2], ["a", "b", "a"]) == [(batch[:2], ["a", "b"])]
