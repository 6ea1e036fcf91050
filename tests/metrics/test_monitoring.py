"""The dashboard and the alert rules name figures that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from usersessionmon.metrics import collect

FOLDER = Path(__file__).parents[2] / "packaging" / "monitoring"
SOURCE = Path(collect.__file__).read_text(encoding="utf-8")
THERE = {
    f"{collect.PREFIX}{name}"
    for name in re.findall(r'"(\w+(?:_seconds|_total|_open|_up|_waiting)|info)"', SOURCE)
}
THERE |= {f"{collect.PREFIX}delivery_{what}_total" for what in ("exchanges", "notices")}


def named(text: str) -> set[str]:
    return set(re.findall(rf"{collect.PREFIX}\w+", text))


def test_the_alerts_are_rules_over_figures_that_there_are() -> None:
    text = (FOLDER / "alerts.yaml").read_text(encoding="utf-8")
    (group,) = yaml.safe_load(text)["groups"]
    for rule in group["rules"]:
        assert rule["alert"] and rule["annotations"]["summary"] and named(rule["expr"]) <= THERE
    assert len(group["rules"]) >= 8


def test_every_panel_shows_figures_that_there_are() -> None:
    board = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
    shown = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert len(shown) >= 10 and all(named(expr) and named(expr) <= THERE for expr in shown)
