"""Figures in Prometheus' text format
(https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SAMPLES = 500
"""Of one family at most: some labels come from the log."""


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"


class Sample(NamedTuple):
    value: float
    labels: Mapping[str, str] = {}


class Family(NamedTuple):
    """All samples of one name."""

    name: str
    kind: Kind
    about: str
    samples: Sequence[Sample]


def exposition(families: Iterable[Family]) -> str:
    """What Prometheus reads."""
    return "".join(line + "\n" for family in families for line in _lines(family))


def _lines(family: Family) -> list[str]:
    head = [f"# HELP {family.name} {family.about}", f"# TYPE {family.name} {family.kind}"]
    return head + [_line(family.name, sample) for sample in family.samples[:SAMPLES]]


def _line(name: str, sample: Sample) -> str:
    labels = ",".join(f'{key}="{_escaped(text)}"' for key, text in sample.labels.items())
    braces = f"{{{labels}}}" if labels else ""
    value = sample.value
    number = str(int(value)) if value == int(value) else repr(value)
    return f"{name}{braces} {number}"


def _escaped(text: str) -> str:
    known = text[:200].encode("utf-8", "replace").decode()
    return known.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
