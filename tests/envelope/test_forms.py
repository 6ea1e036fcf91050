"""Every header form that loggers write, one line each."""

from __future__ import annotations

from datetime import UTC
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usersessionmon.envelope.text import LineReader
from usersessionmon.model import Record

NOW_US = 1_795_248_930_000_000  # 2026-11-21T08:15:30Z
SAID = "Accepted password for alice from 192.0.2.10 port 2222 ssh2"


class Case(NamedTuple):
    line: str
    time: str
    host: str | None = "web-1"
    program: str = "sshd"
    pid: int | None = 1234
    text: str = SAID
    inferred: bool = True


def everything(_: str) -> bool:
    return True


def reader(year: int | None = None) -> LineReader:
    return LineReader(wanted=everything, zone=UTC, reference_us=NOW_US, year=year)


def read(line: str | bytes) -> Record | None:
    return reader().read(line if isinstance(line, bytes) else line.encode())


def check(line: str, case: Case) -> None:
    record = read(line)
    assert record is not None
    assert record.time.text == case.time
    assert record[1:5] == (case.host, case.program, case.pid, case.text)
    assert record.time_inferred is case.inferred


TAG = f"sshd[1234]: {SAID}"
PLAIN = "2026-11-21T08:15:30+00:00"
TIMES = {
    "BSD": Case(f"Nov 21 08:15:30 web-1 {TAG}", PLAIN),
    "BSD, day padded with a blank": Case(
        f"Nov  1 08:15:30 web-1 {TAG}", "2026-11-01T08:15:30+00:00"
    ),
    "BSD, day padded with a zero": Case(
        f"Nov 01 08:15:30 web-1 {TAG}", "2026-11-01T08:15:30+00:00"
    ),
    "BSD, day not padded": Case(f"Nov 1 08:15:30 web-1 {TAG}", "2026-11-01T08:15:30+00:00"),
    "BSD, year after the day": Case(
        f"Nov 21 2019 08:15:30 web-1 {TAG}", "2019-11-21T08:15:30+00:00"
    ),
    "BSD, year before the month": Case(
        f"2015 Nov 13 13:40:01 web-1 {TAG}", "2015-11-13T13:40:01+00:00"
    ),
    "BSD, year twice before the month": Case(
        f"2015 2015 Nov 13 13:40:01 web-1 {TAG}", "2015-11-13T13:40:01+00:00"
    ),
    "BSD with a priority": Case(f"<38>Nov 21 08:15:30 web-1 {TAG}", PLAIN),
    "BSD without a host": Case(f"Nov 21 08:15:30 {TAG}", PLAIN, host=None),
    "BSD with two blanks for a host": Case(f"Nov 21 08:15:30  {TAG}", PLAIN, host=None),
    "milliseconds": Case(f"Nov 21 08:15:30.123 web-1 {TAG}", "2026-11-21T08:15:30.123+00:00"),
    "short-precise": Case(
        f"Nov 21 08:15:30.123456 web-1 {TAG}", "2026-11-21T08:15:30.123456+00:00"
    ),
    "leap second": Case(f"Nov 21 23:59:60 web-1 {TAG}", "2026-11-21T23:59:59+00:00"),
    "rsyslog": Case(
        f"2026-11-21T08:15:30.123456+01:00 web-1 {TAG}",
        "2026-11-21T08:15:30.123456+01:00",
        inferred=False,
    ),
    "rsyslog, UTC": Case(
        f"2026-11-21T08:15:30.123456Z web-1 {TAG}", "2026-11-21T08:15:30.123456Z", inferred=False
    ),
    "RFC 3339 with a priority": Case(
        f"<86>2026-11-21T08:15:30-03:30 web-1 {TAG}", "2026-11-21T08:15:30-03:30", inferred=False
    ),
    "one digit of fraction": Case(
        f"2026-11-21T08:15:30.5+01:00 web-1 {TAG}", "2026-11-21T08:15:30.5+01:00", inferred=False
    ),
    "nine digits of fraction": Case(
        f"2026-11-21T08:15:30.123456789Z web-1 {TAG}",
        "2026-11-21T08:15:30.123456789Z",
        inferred=False,
    ),
    "short-iso": Case(
        f"2026-11-21T08:15:30+0100 web-1 {TAG}", "2026-11-21T08:15:30+01:00", inferred=False
    ),
    "short-iso of today": Case(
        f"2026-11-21T08:15:30+01:00 web-1 {TAG}", "2026-11-21T08:15:30+01:00", inferred=False
    ),
    "macOS": Case(
        f"2020-03-23 06:47:42.801612-0700  web-1 {TAG}",
        "2020-03-23T06:47:42.801612-07:00",
        inferred=False,
    ),
    "comma, no zone": Case(f"2021-05-28 18:08:01,124 web-1 {TAG}", "2021-05-28T18:08:01.124+00:00"),
    "ISO, only hours of offset": Case(
        f"2026-11-21T08:15:30+08 web-1 {TAG}", "2026-11-21T08:15:30+08:00", inferred=False
    ),
    "ISO leap second": Case(
        f"2016-12-31T23:59:60.25Z web-1 {TAG}", "2016-12-31T23:59:59.25Z", inferred=False
    ),
    "short-full": Case(
        f"Sat 2026-11-21 08:15:30 CET web-1 {TAG}", "2026-11-21T08:15:30+01:00", inferred=False
    ),
    "short-full, zone without letters": Case(
        f"Sat 2026-11-21 08:15:30 +08 web-1 {TAG}", "2026-11-21T08:15:30+08:00", inferred=False
    ),
    "short-unix": Case(
        f"1795248930.123456 web-1 {TAG}", "2026-11-21T08:15:30.123456+00:00", inferred=False
    ),
    "OpenWrt": Case(f"Sat Nov 21 08:15:30 2026 authpriv.info {TAG}", PLAIN, host=None),
    "OpenWrt with -t": Case(
        f"Sat Nov 21 08:15:30 2026 [1795248930.123] authpriv.info {TAG}",
        "2026-11-21T08:15:30.123+00:00",
        host=None,
        inferred=False,
    ),
    "Busybox": Case(f"Nov 21 08:15:30 web-1 auth.info {TAG}", PLAIN),
    "Busybox without a host": Case(f"Nov 21 08:15:30 auth.info {TAG}", PLAIN, host=None),
    "Chrome OS": Case(
        f"2016-10-25T12:37:23.297265-07:00 INFO {TAG}",
        "2016-10-25T12:37:23.297265-07:00",
        host=None,
        inferred=False,
    ),
    "metalog": Case(f"Nov 21 08:15:30 [sshd] {SAID}", PLAIN, host=None, pid=None),
    "RFC 5424": Case(
        f"<86>1 2026-11-21T08:15:30.123456+01:00 web-1 sshd 1234 - - {SAID}",
        "2026-11-21T08:15:30.123456+01:00",
        inferred=False,
    ),
    "RFC 5424 without a priority": Case(
        f"1 2026-11-21T08:15:30Z web-1 sshd 1234 - - {SAID}",
        "2026-11-21T08:15:30Z",
        inferred=False,
    ),
    "RFC 5424 with data and a byte order mark": Case(
        '<86>1 2026-11-21T08:15:30Z web-1 sshd 1234 ID47 [a@1 k="x] [y" l="\\"\\]"][b] '
        f"\ufeff{SAID}",
        "2026-11-21T08:15:30Z",
        inferred=False,
    ),
    "RFC 5424, nothing known": Case(
        f"<86>1 2026-11-21T08:15:30Z - sshd - - -  {SAID}",
        "2026-11-21T08:15:30Z",
        host=None,
        pid=None,
        inferred=False,
    ),
    "old macOS": Case(
        "[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 1234] "
        f"[Message {SAID}] [Level 3] [UID -2] [GID -2] [Host web-1]",
        "2006-12-28T15:53:55Z",
        inferred=False,
    ),
    "old macOS, cut short": Case(
        f"[Time 2006.12.28 15:53:55 UTC] [Facility auth] [Sender sshd] [PID 1234] [Message {SAID}]",
        "2006-12-28T15:53:55Z",
        host=None,
        inferred=False,
    ),
    "vsftpd's own file": Case(
        'Sat Nov 21 08:15:30 2026 [pid 4711] [alice] OK LOGIN: Client "192.0.2.60"',
        PLAIN,
        host=None,
        program="vsftpd",
        pid=4711,
        text='[alice] OK LOGIN: Client "192.0.2.60"',
    ),
    "vsftpd's own file, day not padded": Case(
        'Mon Jun 8 12:08:44 2020 [pid 27245] CONNECT: Client "192.0.2.60"',
        "2020-06-08T12:08:44+00:00",
        host=None,
        program="vsftpd",
        pid=27245,
        text='CONNECT: Client "192.0.2.60"',
    ),
    "xrdp-sesman's own file": Case(
        "[20261121-08:15:30] [INFO ] ++ created session: username alice, ip 192.0.2.1",
        PLAIN,
        host=None,
        program="xrdp-sesman",
        pid=None,
        text="[INFO ] ++ created session: username alice, ip 192.0.2.1",
    ),
    "sudo's own file": Case(
        "Aug 31 08:11:00 2017 : alice : TTY=pts/1 ; PWD=/home ; USER=root ; COMMAND=/bin/sh",
        "2017-08-31T08:11:00+00:00",
        host=None,
        program="sudo",
        pid=None,
        text="alice : TTY=pts/1 ; PWD=/home ; USER=root ; COMMAND=/bin/sh",
    ),
    "sudo's own file without a year": Case(
        "Aug 31 08:11:00 : alice : TTY=pts/1 ; PWD=/home ; USER=root ; COMMAND=/bin/sh",
        "2026-08-31T08:11:00+00:00",
        host=None,
        program="sudo",
        pid=None,
        text="alice : TTY=pts/1 ; PWD=/home ; USER=root ; COMMAND=/bin/sh",
    ),
    "lower case": Case(
        f"2026-11-21t08:15:30.25z web-1 {TAG}", "2026-11-21T08:15:30.25Z", inferred=False
    ),
    "comma with a zone": Case(
        f"2026-11-21T08:15:30,123456789+05:30 web-1 {TAG}",
        "2026-11-21T08:15:30.123456789+05:30",
        inferred=False,
    ),
    "BSD with a zone": Case(f"Nov 21 08:15:30 CET web-1 {TAG}", "2026-11-21T08:15:30+01:00"),
    "BSD with a year and a zone": Case(
        f"Nov 21 2019 08:15:30 EDT web-1 {TAG}", "2019-11-21T08:15:30-04:00", inferred=False
    ),
    "ISO with a zone": Case(
        f"2026-11-21 08:15:30.5 CET web-1 {TAG}", "2026-11-21T08:15:30.5+01:00", inferred=False
    ),
    "BSD with a host in capitals": Case(f"Nov 21 08:15:30 NAS {TAG}", PLAIN, host="NAS"),
    "RFC 5424 with a comma": Case(
        f"<86>1 2026-11-21T08:15:30,5Z web-1 sshd 1234 - - {SAID}",
        "2026-11-21T08:15:30.5Z",
        inferred=False,
    ),
    "RFC 5424 in a leap second": Case(
        f"<86>1 2016-12-31T23:59:60.25Z web-1 sshd 1234 - - {SAID}",
        "2016-12-31T23:59:59.25Z",
        inferred=False,
    ),
    "TAI64N": Case(
        f"@4000000067a1b2c31dcd6500 {TAG}",
        "2025-02-04T06:24:57.500000000+00:00",
        host=None,
        inferred=False,
    ),
    "socklog with TAI64N": Case(
        f"@4000000067a1b2c31dcd6500 authpriv.info: Feb  4 07:24:57 {TAG}",
        "2025-02-04T06:24:57.500000000+00:00",
        host=None,
        inferred=False,
    ),
    "socklog": Case(
        f"2026-11-21T08:15:30.12345 auth.info: Nov 21 09:15:30 {TAG}",
        "2026-11-21T08:15:30.12345Z",
        host=None,
        inferred=False,
    ),
    "socklog with an underscore": Case(
        f"2026-11-21_08:15:30.12345 auth.info: Nov 21 09:15:30 {TAG}",
        "2026-11-21T08:15:30.12345Z",
        host=None,
        inferred=False,
    ),
    "Kubernetes": Case(
        f"2026-11-21T08:15:30.123456789Z stdout F Nov 21 09:15:29 web-1 {TAG}",
        "2026-11-21T08:15:30.123456789Z",
        inferred=False,
    ),
    "Kubernetes without an own time": Case(
        f"2026-11-21T08:15:30.123456789+08:00 stderr F {TAG}",
        "2026-11-21T08:15:30.123456789+08:00",
        host=None,
        inferred=False,
    ),
    "Docker's json-file": Case(
        f'{{"log":"Nov 21 09:15:29 web-1 {TAG}\\r\\n","stream":"stdout",'
        '"time":"2026-11-21T08:15:30.123456789Z"}',
        "2026-11-21T08:15:30.123456789Z",
        inferred=False,
    ),
    "Docker's json-file without an own time": Case(
        f'{{"log":"{TAG}\\n","stream":"stderr","attrs":{{"tag":"x"}},'
        '"time":"2026-11-21T08:15:30.5Z"}',
        "2026-11-21T08:15:30.5Z",
        host=None,
        inferred=False,
    ),
    "a container's time in front": Case(
        f"2026-11-21T08:15:30.123456789Z Nov 21 09:15:29 web-1 {TAG}",
        "2026-11-21T08:15:30.123456789Z",
        inferred=False,
    ),
}


@pytest.mark.parametrize("name", TIMES)
def test_times(name: str) -> None:
    check(TIMES[name].line, TIMES[name])


@pytest.mark.parametrize("name", TIMES)
def test_the_second_line_of_a_form_reads_like_the_first(name: str) -> None:
    """The second goes by what was remembered of the first."""
    lines = reader()
    first, second = (lines.read(TIMES[name].line.encode()) for _ in range(2))
    assert first is not None
    assert first == second


@pytest.mark.parametrize(
    ("head", "program", "pid", "text"),
    [
        ("sudo: alice", "sudo", None, "alice"),
        ("sudo:    alice : TTY=pts/0", "sudo", None, "alice : TTY=pts/0"),
        ("sshd[3]:  Server listening", "sshd", 3, "Server listening"),
        ("sshd[3]:", "sshd", 3, ""),
        ("sshd[3]: ", "sshd", 3, ""),
        ("sshd[3]:Server", "sshd", 3, "Server"),
        ("gdm-password][123]: text", "gdm-password]", 123, "text"),
        ("(systemd)[7]: text", "(systemd)", 7, "text"),
        ("sshd(pam_unix)[1]: text", "sshd(pam_unix)", 1, "text"),
        ("su(pam_unix)[9]: text", "su(pam_unix)", 9, "text"),
        ("su[8060]: (pam_unix) session opened", "su", 8060, "(pam_unix) session opened"),
        ("sshd(pam_google_authenticator)[77]: t", "sshd(pam_google_authenticator)", 77, "t"),
        ("pam: gdm-password[1600]: text", "gdm-password", 1600, "text"),
        ("pam: text: more", "pam", None, "text: more"),
        ("/usr/sbin/cron[1]: text", "cron", 1, "text"),
        ("ssh.service/sshd[1234]: text", "sshd", 1234, "text"),
        ("session-3.scope/sshd[1234]: text", "sshd", 1234, "text"),
        ("app.service: text", "app.service", None, "text"),
        ("postfix/smtpd[5]: text", "postfix/smtpd", 5, "text"),
        ("sshd[9]: [ID 800047 auth.info] text", "sshd", 9, "text"),
        ("sshd[9]: [ID 800047] text", "sshd", 9, "[ID 800047] text"),
        ("sshd[9]: [123B blob data]", "sshd", 9, "[123B blob data]"),
        ("rsyslogd-2177: text", "rsyslogd", None, "text"),
        ("proftpd[25530] web-1 (h[192.0.2.1]): hi", "proftpd", 25530, "web-1 (h[192.0.2.1]): hi"),
        ("sshd[19] <Info>: text", "sshd", 19, "text"),
        ("last message repeated 3 times", "", None, "last message repeated 3 times"),
        ("syslog.info last message repeated 3 times", "", None, "last message repeated 3 times"),
        (
            "Last message 'sshd[1]: a: b' repeated 3 times, suppressed by syslog-ng on web-1",
            "",
            None,
            "last message repeated 3 times",
        ),
        ("sshd[4]: last message repeated 3 times", "sshd", 4, "last message repeated 3 times"),
    ],
)
def test_tags(head: str, program: str, pid: int | None, text: str) -> None:
    lines = reader()
    for day in ("Nov 21 08:15:30", "Nov 21 08:15:31", "2026-11-21T08:15:30Z"):
        record = lines.read(f"{day} web-1 {head}".encode())
        assert record is not None
        assert record[1:5] == ("web-1", program, pid, text)


def test_macos_says_without_a_host_that_a_line_came_again() -> None:
    record = read("Nov 18 01:15:43: --- last message repeated 5 times ---")
    assert record is not None
    assert record[1:5] == (None, "", None, "last message repeated 5 times")


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "web-1.example.org", "[192.0.2.1]"])
def test_hosts(host: str) -> None:
    record = read(f"Nov 21 08:15:30 {host} {TAG}")
    assert record is not None
    assert record.host == host


@pytest.mark.parametrize(
    "line",
    [
        "nov 21 08:15:30 web-1 sshd[1]: x",
        "MMM 21 08:15:30 web-1 sshd[1]: x",
        "Okt 21 08:15:30 web-1 sshd[1]: x",
        "Nov. 21 08:15:30 web-1 sshd[1]: x",
        "Nov 21 8:15:30 web-1 sshd[1]: x",
        "Nov 21 24:00:00 web-1 sshd[1]: x",
        "Nov 21 08:60:30 web-1 sshd[1]: x",
        "Nov 21 08:15:61 web-1 sshd[1]: x",
        "Nov 31 08:15:30 web-1 sshd[1]: x",
        "Feb 30 08:15:30 web-1 sshd[1]: x",
        "Nov 0 08:15:30 web-1 sshd[1]: x",
        "Nov 21 08:15:30x web-1 sshd[1]: x",
        "11月 21 08:15:30 web-1 sshd[1]: x",
        "21.11.2026 08:15:30 web-1 sshd[1]: x",
        "2026-13-01T08:15:30Z web-1 sshd[1]: x",
        "2026-02-29T08:15:30Z web-1 sshd[1]: x",
        "2026-11-21T08:15:30+24:00 web-1 sshd[1]: x",
        "2026-11-21T08:15:30.Z web-1 sshd[1]: x",
        "2026-11-21T08:15:30.1234567890Z web-1 sshd[1]: x",
        "0000-11-21T08:15:30Z web-1 sshd[1]: x",
        "9999-11-21T08:15:30Z web-1 sshd[1]: x",
        "Sat 2026-11-21 08:15:30 XYZ web-1 sshd[1]: x",
        "<86>1 - web-1 sshd 1 - - x",
        '<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - [a k="v] x',
        "<86>1 2026-11-21T08:15:30Z web-1 sshd 1 -",
        "Nov 21 08:15:30 PM web-1 sshd[1]: x",
        "Nov 21 08:15:30 CST web-1 sshd[1]: x",
        "2026-11-21 08:15:30 AM web-1 sshd[1]: x",
        "2026-11-21 08:15:30 EST web-1 sshd[1]: x",
        "21. Nov 08:15:30 web-1 sshd[1]: x",
        "nov. 21 08:15:30 web-1 sshd[1]: x",
        "11月 21日 08:15:30 web-1 sshd[1]: x",
        "十一月 21 08:15:30 web-1 sshd[1]: x",
        "@4000000067a1b2c3ffffffff sshd[1]: x",
        "@3fffffff67a1b2c31dcd6500 sshd[1]: x",
        "@4000000067A1B2C31DCD6500 sshd[1]: x",
        "<86>1 2026-11-21T24:15:30Z web-1 sshd 1 - - x",
        "<86>1 2026-11-21T08:15:30+24:00 web-1 sshd 1 - - x",
        "<86>1 2026-02-29T08:15:30Z web-1 sshd 1 - - x",
        '<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - [a k="v]" x',
        '<86>1 2026-11-21T08:15:30Z web-1 sshd 1 - [a k="v"]x',
        "Sat 2026-11-21 08:15:30 UTC web-1 ssh.service[1]: x",
        "Sat 2026-11-21 08:15:30 UTC web-1 session-3.scope[1]: x",
        "Sat 2026-11-21 08:15:30.000000 UTC [s=0eb5;i=1;b=0123;m=4c;t=66;x=ff]",
        '{"log":"Nov 21 08:15:30 web-1 sshd[1]: x\\n","time":"yesterday"}',
        '{"log":"Nov 21 08:15:30 web-1 sshd[1]: x\\n","time":"2026-11-21T08:15:30Z',
        '{"log":"Nov 21 08:15:30 web-1 sshd[1]: x\\n"}',
        '{"log":"x","time":7}',
        '{"log":"' + "[" * 5000,
        "[  123.456789] web-1 sshd[1]: x",
        "123.456789 web-1 sshd[1]: x",
        "sshd[1]: x",
        "x",
    ],
)
def test_what_has_no_known_header_is_counted_and_never_dated(line: str) -> None:
    lines = reader()
    assert lines.read(line.encode()) is None
    assert (lines.lines, lines.skipped, lines.not_understood) == (1, 0, 1)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\0\0\0",
        "        Nov 21 08:15:30 web-1 sshd[1]: in a message of several lines",
        "\tNov 21 08:15:30 web-1 sshd[1]: in a message of several lines",
        "-- Logs begin at Sat 2026-11-21 08:15:30 CET. --",
        "-- No entries --",
        "Nov 21 08:15:30 web-1 a text without any tag",
        "Nov 21 08:15:30 web-1 a text: that looks [1]: like one",
        "Nov 21 08:15:30 web-1",
        "Nov 21 08:15:30",
    ],
)
def test_what_nobody_wrote_is_skipped(line: str) -> None:
    lines = reader()
    assert lines.read(line.encode()) is None
    assert (lines.skipped, lines.not_understood) == (1, 0)


def test_lines_of_rfc5424_read_alike_whatever_came_before() -> None:
    """Their day is remembered; each must read as if it were the first."""
    times = [
        "2026-11-21T08:15:30.123456+01:00",
        "2026-11-21T23:59:59.9+01:00",
        "2026-11-21T08:15:30Z",
        "2026-11-22T00:00:00.000000001Z",
        "2026-11-22T00:00:00-09:30",
        "2026-11-21T08:15:30.123456+01:00",
    ]
    lines = [f"<86>1 {time} web-1 sshd 7 - - x" for time in times for _ in range(2)]
    lines.insert(3, "Dec 31 08:15:30 web-1 sshd[7]: a line of another form and day")
    together = reader(2026)
    for line in lines:
        assert together.read(line.encode()) == reader(2026).read(line.encode())


def test_a_line_of_rfc5424_tells_the_year_of_those_without() -> None:
    lines = reader()
    first = "<86>1 2019-12-31T08:15:30Z web-1 sshd 7 - - x"
    for line in (first, first, "Jan  1 08:15:30 web-1 sshd[7]: x"):
        record = lines.read(line.encode())
    assert record is not None
    assert record.time.text == "2020-01-01T08:15:30+00:00"


@given(st.text('[]"\\\\ a=', max_size=40))
def test_structured_data_ends_where_its_own_grammar_says(data: str) -> None:
    record = read(f"<86>1 2026-11-21T08:15:30Z web-1 sshd 7 - [{data} x: y")
    end = _end_of_data(f"[{data} x: y")
    assert (record is None) == (end is None)
    if record is not None:
        assert record.text == f"[{data} x: y"[end:].lstrip(" ")


def _end_of_data(text: str) -> int | None:
    """Letter by letter."""
    quoted = escaped = False
    depth = 0
    for at, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = letter == "\\", letter != '"'
        elif depth:
            quoted, depth = letter == '"', depth - (letter == "]")
        elif letter == "[":
            depth = 1
        else:
            return at if letter == " " else None
    return None if depth else len(text)
