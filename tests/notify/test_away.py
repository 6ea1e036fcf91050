"""The notice about servers that cannot be read: the first few by name, and how many more."""

from __future__ import annotations

import pytest

from usersessionmon.notify.servers import away_notice

from .support import server


@pytest.mark.parametrize("over", [False, True])
def test_of_fifty_the_first_few_are_named(over: bool) -> None:
    away = [(f"rds-{number}", "back-off", "not reachable", 0) for number in range(50)]
    notice = away_notice(over, away, 1_000_000, server=server("en"))
    values = [value for _, value in notice.pairs]
    assert sum(value.startswith("rds-") for value in values) == 10
    assert "40 more" in values
    assert "rds-9" in notice.digest and "rds-10" not in notice.digest
    few = away_notice(over, away[:10], 1_000_000, server=server("en"))
    assert not any("more" in value for _, value in few.pairs)
