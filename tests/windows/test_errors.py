"""What people are told of an error of the event log."""

from __future__ import annotations

from usersessionmon.windows.errors import sentence
from usersessionmon.windows.eventlog import EventLogError


def test_credentials_that_are_not_there_are_told_of_with_a_way_out_for_a_service_too() -> None:
    """Nobody can sign in as its account to run cmdkey."""
    said = sentence(EventLogError(1168, "CredRead", "Element not found"))
    assert "(error 1168)" in said and "cmdkey /generic:NAME" in said
    service = said.partition("a service ")[2]
    assert "without credentials" in service and "NETWORK SERVICE" in service
    assert "Event Log Readers" in service
