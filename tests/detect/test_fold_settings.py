"""The settings of quiet hours and folding: every mistake is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.config import load
from usersessionmon.detect.fold_settings import PurposeSettings, Tell

from .test_settings import mistakes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quiet_hours: {windows: [night]}", "1: quiet_hours.windows: must be a list of"),
        ("quiet_hours: {windows: ['00:00-24:00']}", "1: quiet_hours.windows: leave no time"),
        ("fold: {presense: true}", "1: unknown key fold.presense (did you mean presence?)"),
        ("fold: {by: person}", "1: unknown key fold.by"),
        ("fold:\n  linger_minutes: 1441", "2: fold.linger_minutes: must be from 0 to 1440"),
        ('fold:\n  daily_at: "24:30"', "2: fold.daily_at: must be a time of day"),
        ("fold:\n  daily_at: 18:30", "2: fold.daily_at must be text"),
        ("fold:\n  purposes:\n    a: {tell: daily}", "3: fold.purposes.a.users: needs one of"),
        ("fold: {purposes: {a: {users: [x], tell: now}}}", "1: fold.purposes.a.tell must be one"),
        ("fold: {purposes: {a: {networks: [x]}}}", "1: fold.purposes.a.networks: must be add"),
        ("fold: {purposes: {'a<b': {users: [x]}}}", "1: fold.purposes: a<b must be up to 32"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (line,) = mistakes(tmp_path, text)
    assert line.startswith(said)


def test_no_more_purposes_than_are_counted(tmp_path: Path) -> None:
    purposes = ", ".join(f"p{n}: {{users: [u{n}]}}" for n in range(33))
    (line,) = mistakes(tmp_path, f"fold: {{purposes: {{{purposes}}}}}")
    assert line == "1: fold.purposes: must be 32 at most"


def test_what_it_may_say(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "quiet_hours: {windows: [22:00-08:00, 'Sat,Sun 08:00-10:00']}\n"
        "fold:\n  presence: true\n  linger_minutes: 0\n  daily_at: '18:30'\n"
        "  purposes:\n    备份: {users: ['b*'], hosts: [db-1], tell: never}\n"
    )
    settings = load(path)
    assert settings.quiet_hours.windows == ("22:00-08:00", "Sat,Sun 08:00-10:00")
    assert (settings.fold.presence, settings.fold.daily_at) == (True, "18:30")
    assert settings.fold.purposes == {
        "备份": PurposeSettings(users=("b*",), hosts=("db-1",), tell=Tell.NEVER)
    }
