"""What a detector remembers: a table with a bound, from which the longest untouched goes first.

Only what was touched is saved; rows come back in the order in which they were last touched, so that
after a restart the same one goes first.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import ItemsView
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Shelf(Generic[T]):
    """``kind`` is a dataclass whose fields JSON can hold.  Call ``put`` after every change."""

    def __init__(self, name: str, kind: type[T], limit: int) -> None:
        self.name = name
        self._kind = kind
        self._fields = [item.name for item in dataclasses.fields(kind)]  # type: ignore[arg-type]
        self._limit = limit
        self._rows: dict[str, T] = {}
        self._touched: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, key: str) -> T | None:
        return self._rows.get(key)

    def items(self) -> ItemsView[str, T]:
        """The longest untouched first."""
        return self._rows.items()

    def put(self, key: str, row: T) -> T | None:
        """Keep a row, as the last touched; gives the one that had to go for it."""
        self._rows.pop(key, None)
        self._rows[key] = row
        self._touch(key)
        if len(self._rows) <= self._limit:
            return None
        oldest = next(iter(self._rows))
        self._touch(oldest)
        return self._rows.pop(oldest)

    def drop(self, key: str) -> None:
        """Forget a row, if it is there."""
        if self._rows.pop(key, None) is not None:
            self._touch(key)

    def _touch(self, key: str) -> None:
        self._touched.pop(key, None)
        self._touched[key] = None

    def drain(self) -> dict[str, str | None]:
        """Key → JSON of what changed since the last call, the last touched last; None: forget."""
        rows = {
            key: None if key not in self._rows else self._dump(self._rows[key])
            for key in self._touched
        }
        self._touched.clear()
        return rows

    def _dump(self, row: T) -> str:
        return _encode([getattr(row, name) for name in self._fields])

    def load(self, key: str, body: str) -> bool:
        """Take up a saved row; False when it cannot be understood."""
        try:
            values: Any = json.loads(body)
            row = self._kind(*values)
        except (ValueError, TypeError):
            return False
        self._rows[key] = row
        return True
