"""What is wrong at this moment, gathered from those who can tell."""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Health:
    """Asked by whoever says that all is well."""

    def __init__(self) -> None:
        self._finders: list[Callable[[], Iterable[str]]] = []

    def ask(self, finder: Callable[[], Iterable[str]]) -> None:
        """Take up one who can tell: a sentence for each thing that is wrong, with nothing foreign
        in it."""
        self._finders.append(finder)

    def wrongs(self) -> list[str]:
        return [sentence for finder in self._finders for sentence in finder()]
