"""What is not understood is counted by program and shape, and names nobody."""

from __future__ import annotations

from usersessionmon.model import Moment, Record
from usersessionmon.rules import coverage
from usersessionmon.rules.coverage import Coverage, Shape, mask, vocabulary
from usersessionmon.rules.matcher import load_rules

RULES = load_rules("generic")
WORDS = vocabulary(RULES)


def _record(text: str, program: str = "sshd") -> Record:
    return Record(Moment(0, ""), None, program, 1, text)


def test_lines_are_counted_by_program_and_shape() -> None:
    found = Coverage(RULES)
    found.add(
        [
            _record("Accepted password for alice from 192.0.2.7 port 1 ssh2"),
            _record("Frobnicated alice from 192.0.2.7 port 50022"),
            _record("Frobnicated li.wei from 2001:db8::1 port 3"),
            _record("Wobbled", "su"),
        ]
    )
    assert found.understood == {"sshd": 1}
    assert found.missed == {"sshd": 2, "su": 1}
    assert found.shapes[Shape("sshd", "Frobnicated {word} from {ip} port {number}")] == 2
    assert found.shapes[Shape("su", "{word}")] == 1


def test_whatever_may_name_somebody_is_masked() -> None:
    for name in ("alice", "li.wei", "root", "CORP\\zhang", "管理", "a@example.org", "svc-1"):
        text = mask(f"Frobnicated x {name} in /home/{name} by ({name})", WORDS)
        assert name not in text
    assert mask("error: no more sessions", WORDS) == "error: no more sessions"
    assert "\x1b" not in mask("\x1b[2J\x07 \x1b", WORDS)


def test_shapes_are_bounded() -> None:
    found = Coverage(RULES)
    found.add(
        _record(
            f"A{'bcdefghij'[n % 9]}{'klmnopqrst'[n // 9 % 10]}{'u' * (n // 90 % 18)} "
            f"error{' error' * (n // 1620)}"
        )
        for n in range(30_000)
    )
    assert len(found.shapes) <= coverage.MAX_SHAPES + 1
    assert found.missed["sshd"] == 30_000
    assert found.shapes.total() == 30_000
