"""Lines that need not be ones of a log."""

from __future__ import annotations

from datetime import UTC

import pytest

from usersessionmon.envelope.text import Loose, loose

NOW_US = 1_795_248_930_000_000  # 2026-11-21T08:15:30Z


def read(line: str) -> Loose:
    return loose(
        line.encode(),
        wanted=lambda program: program in ("sshd", "sudo", ""),
        zone=UTC,
        reference_us=NOW_US,
    )


@pytest.mark.parametrize(
    ("line", "program", "pid", "text", "timed", "tagged"),
    [
        ("Nov 21 08:15:30 web-1 sshd[1]: hello", "sshd", 1, "hello", True, True),
        ("Nov 21 08:15:30 web-1 CRON[1]: hello", "CRON", 1, "hello", True, True),
        ("Nov 21 08:15:30 web-1 no tag", "", None, "no tag", True, False),
        ("sshd[1]: hello", "sshd", 1, "hello", False, True),
        ("CRON[1]: hello", "CRON", 1, "hello", False, True),
        ("sudo:    alice : TTY=pts/0", "sudo", None, "alice : TTY=pts/0", False, True),
        ("su(pam_unix)[9]: hello", "su(pam_unix)", 9, "hello", False, True),
        ("error: PAM: hello", "", None, "error: PAM: hello", False, False),
        (
            "pam_unix(sshd:session): opened",
            "",
            None,
            "pam_unix(sshd:session): opened",
            False,
            False,
        ),
        ("Accepted password for alice", "", None, "Accepted password for alice", False, False),
        (
            "     foo : user NOT in sudoers",
            "",
            None,
            "     foo : user NOT in sudoers",
            False,
            False,
        ),
        ("-- Reboot --", "", None, "-- Reboot --", False, True),
        ("", "", None, "", False, False),
    ],
)
def test_whatever_is_given(
    line: str, program: str, pid: int | None, text: str, timed: bool, tagged: bool
) -> None:
    found = read(line)
    assert found.record[2:5] == (program, pid, text)
    assert (found.timed, found.tagged) == (timed, tagged)
    assert found.record.time.us == NOW_US
