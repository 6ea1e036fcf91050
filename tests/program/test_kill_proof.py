"""The quick form of the random-kill proof, and that it can fail."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from tests.journal_files import needs_journal
from tests.kill_proof import (
    differences,
    journal_of_a_server,
    play,
    prove,
    recordings_in,
    text_of_a_server,
    workshop,
)
from usersessionmon.rules.matcher import load_rules
from usersessionmon.store import state


def test_killed_anywhere_the_ledger_is_that_of_an_uninterrupted_run() -> None:
    with workshop() as folder:
        problems, deaths = prove(recordings_in(folder, 7, journal=False), 160, folder, seed=7)
    assert problems == []
    assert deaths > 150


@needs_journal
def test_and_so_it_is_with_a_journal() -> None:
    with workshop() as folder:
        problems, deaths = prove([journal_of_a_server(7, folder)], 40, folder, seed=7)
    assert problems == []
    assert deaths > 35


def test_the_proof_finds_what_is_not_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine whose connections were not saved would not know who is on."""
    save = state.write_engine

    def forget(connection: object, connections: Mapping[str, str | None], *rest: object) -> None:
        save(connection, {}, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(state, "write_engine", forget)
    rules = load_rules("generic")
    with workshop() as folder:
        recording = text_of_a_server(7)
        whole, points = play(recording, folder / "whole", rules, (), random.Random(7))
        found, _ = play(recording, folder / "trial", rules, [points // 2], random.Random(7))
    assert found.deaths == 1
    assert differences(whole, found)
