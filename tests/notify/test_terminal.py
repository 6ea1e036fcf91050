"""Notices on a stream."""

from __future__ import annotations

import io
import os
from datetime import UTC

import pytest

from tests.notify.support import NOW_US, login, notice, queued
from usersessionmon.notify.base import Answer
from usersessionmon.notify.terminal import TerminalChannel
from usersessionmon.notify.words import Voice


def test_plain_text_with_a_blank_line_behind_each() -> None:
    stream = io.StringIO()
    channel = TerminalChannel(stream, voice=Voice(UTC))
    for number, user in enumerate(["alice", "b\x1b[2Job"]):
        result = channel.send([queued(number, notice(login(user)))], now_us=NOW_US)
        assert result.answer is Answer.DELIVERED
    first, second, rest = stream.getvalue().split("\n\n")
    assert first.startswith("用户登录通知\n服务器：web-1\n")
    assert "用户名：b[2Job" in second and not rest
    assert channel.fits([queued(1, notice(login()))] * 9, now_us=NOW_US) == 1


def test_it_is_flushed() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reader, os.fdopen(write, "w", encoding="utf-8") as stream:
        TerminalChannel(stream, voice=Voice(UTC)).send([queued(1, notice(login()))], now_us=NOW_US)
        assert "用户登录通知".encode() in os.read(reader.fileno(), 4096)


def test_nobody_reads_any_more() -> None:
    read, write = os.pipe()
    os.close(read)
    stream = os.fdopen(write, "w", encoding="utf-8")
    channel = TerminalChannel(stream, voice=Voice(UTC))
    result = channel.send([queued(1, notice(login()))], now_us=NOW_US)
    assert result.answer is Answer.CONFIGURATION and "BrokenPipe" in result.said
    with pytest.raises(BrokenPipeError):
        stream.close()
    result = channel.send([queued(1, notice(login()))], now_us=NOW_US)
    assert result.answer is Answer.CONFIGURATION


def test_a_terminal_without_chinese() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    channel = TerminalChannel(stream, voice=Voice(UTC))
    result = channel.send([queued(1, notice(login()))], now_us=NOW_US)
    assert result.answer is Answer.DELIVERED and b"alice" in raw.getvalue()
