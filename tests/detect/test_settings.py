"""The settings of detectors, quiet lists and maintenance: every mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.config import load
from usersessionmon.detect.settings import Near
from usersessionmon.errors import UserError


def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load(path)
    return [line.split("config.yaml:")[1] for line in caught.value.lines]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("detect:\n  failure: {}", "2: unknown key detect.failure (did you mean failures?)"),
        ("detect:\n  hours: {alowed: []}", "2: unknown key detect.hours.alowed"),
        ("detect: {sweep: {enabled: 1}}", "1: detect.sweep.enabled must be true or false"),
        ("detect:\n  failures:\n    address: 0", "3: detect.failures.address: must be from 1 to"),
        ("detect: {first_from: {scope: city}}", "1: detect.first_from.scope must be one of"),
        ("detect: {hours: {allowed: [nine to five]}}", "1: detect.hours.allowed: must be a list"),
        ("quiet: {user: [x]}", "1: unknown key quiet.user (did you mean users?)"),
        ("quiet:\n  users: x", "2: quiet.users must be a list"),
        ("quiet:\n  networks: [10.0.0.0/33]", "2: quiet.networks: must be addresses or networks"),
        ("maintenance: {windows: [Sun 02:00]}", "1: maintenance.windows: must be a list of"),
        ("maintenance: {windows: 02:00-04:00}", "1: maintenance.windows must be a list"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (line,) = mistakes(tmp_path, text)
    assert line.startswith(said)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = "detect:\n  failures: {minutes: 0, most: 101}\nquiet: {networks: [x, y]}\n"
    assert [line.split(":")[0] for line in mistakes(tmp_path, text)] == ["2", "2", "3"]


def test_times_of_day_need_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "detect:\n  first_from: {scope: address}\n  hours:\n    allowed:\n"
        "    - Mon-Fri 08:00-19:00\n    - 22:00-02:00\n"
        "maintenance: {windows: [Sun 02:00-04:00, 23:00-01:00]}\nquiet: {networks: [10.1.2.3/8]}\n"
    )
    settings = load(path)
    assert settings.detect.hours.allowed == ("Mon-Fri 08:00-19:00", "22:00-02:00")
    assert settings.maintenance.windows == ("Sun 02:00-04:00", "23:00-01:00")
    assert settings.detect.first_from.scope is Near.ADDRESS
