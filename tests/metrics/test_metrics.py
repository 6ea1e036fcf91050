"""Figures for Prometheus: in its own reader's eyes, in a file, and over HTTP."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.notify.support import NOW_US, login, logout
from usersessionmon.errors import TroubleError
from usersessionmon.metrics import server
from usersessionmon.metrics.collect import collect
from usersessionmon.metrics.counters import Counters
from usersessionmon.metrics.exposition import SAMPLES, Family, Kind, Sample, exposition
from usersessionmon.metrics.server import MetricsServer
from usersessionmon.metrics.settings import MetricsSettings, place_of
from usersessionmon.metrics.teller import Metrics
from usersessionmon.model import Batch
from usersessionmon.store.place import open_state
from usersessionmon.strict import BadValuesError

NOTHING = Batch([], None, at_end=True)


def read(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Name → label values → value, as Prometheus' own parser sees it."""
    return {
        family.name: {tuple(one.labels.values()): one.value for one in family.samples}
        for family in text_string_to_metric_families(text)
    }


@given(label=st.text(max_size=100), value=st.floats(allow_nan=False, allow_infinity=False))
def test_any_label_is_read_back(label: str, value: float) -> None:
    known = label.encode("utf-8", "replace").decode()
    text = exposition([Family("x", Kind.GAUGE, "about", [Sample(value, {"a": label})])])
    assert read(text) == {"x": {(known,): value}}


def test_labels_from_the_log_are_bounded() -> None:
    many = [Sample(1, {"service": f"s{number}"}) for number in range(SAMPLES * 2)]
    assert len(read(exposition([Family("x", Kind.COUNTER, "a", many)]))["x"]) == SAMPLES


def test_what_happened_is_counted(tmp_path: Path) -> None:
    counters = Counters()
    counters.events([login(), login("bob"), logout()])
    counters.events([login()._replace(times=3)])
    counters.delivery("feishu", "delivered", 4)
    counters.delivery("feishu", "throttled", 1)
    counters.lag(2_500_000)
    counters.lag(500_000)
    connection = open_state(tmp_path)
    try:
        families = collect(
            connection, counters, ["feishu"], version="1", started_us=NOW_US, now_us=NOW_US
        )
        seen = {name.removeprefix("user_session_monitor_"): found
                for name, found in read(exposition(families)).items()}  # fmt: skip
    finally:
        connection.close()
    assert seen["events"] == {("login", "sshd"): 5.0, ("logout", "sshd"): 1.0}
    assert seen["delivery_notices"] == {("feishu", "delivered"): 4.0, ("feishu", "throttled"): 1.0}
    assert seen["lag_seconds"] == {(): 0.5} and seen["lag_max_seconds"] == {(): 2.5}
    assert seen["outbox_waiting"] == {("feishu",): 0.0} and seen["channel_up"] == {("feishu",): 1.0}
    assert counters.take_lag() == (500_000, 0)


def test_the_file_is_made_anew_when_it_is_time(tmp_path: Path) -> None:
    file, published = tmp_path / "usm.prom", list[bytes]()
    counts = iter(range(100))

    def figures(_now_us: int) -> list[Family]:
        return [Family("x", Kind.GAUGE, "a", [Sample(next(counts))])]

    teller = Metrics(figures, published.append, textfile=str(file), seconds=15)
    assert teller.turn(NOTHING, NOW_US) == []
    assert read(file.read_text())["x"] == {(): 0.0}
    assert teller.patience(NOW_US) == 15
    teller.turn(NOTHING, NOW_US + 14_999_999)
    assert len(published) == 1
    teller.turn(NOTHING, NOW_US + 15_000_000)
    assert read(file.read_text())["x"] == {(): 1.0}
    teller.turn(NOTHING, NOW_US - 10**12)
    assert len(published) == 3, "a clock that was set back stops nothing"
    assert [one.name for one in tmp_path.iterdir()] == ["usm.prom"]


def test_a_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "later"
    teller = Metrics(lambda _: [], lambda _: None, textfile=str(folder / "x.prom"), seconds=1)
    teller.turn(NOTHING, NOW_US)
    teller.turn(NOTHING, NOW_US + 1_000_000)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    folder.mkdir()
    teller.turn(NOTHING, NOW_US + 2_000_000)
    assert (folder / "x.prom").exists()


@pytest.fixture
def served() -> Iterator[MetricsServer]:
    made = MetricsServer(("127.0.0.1", _free_port()))
    yield made
    made.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_over_http(served: MetricsServer) -> None:
    served.publish(b"x 1\n")
    url = f"http://127.0.0.1:{served.port}"
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        assert answer.read() == b"x 1\n" and "version=0.0.4" in answer.headers["Content-Type"]
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{url}/secret", timeout=5)


def test_who_sends_nothing_does_not_hold_it_for_long(
    served: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SECONDS", 0.2)
    with socket.create_connection(("127.0.0.1", served.port)) as idle:
        idle.sendall(b"GET /met")
        url = f"http://127.0.0.1:{served.port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200


def test_an_address_in_use_is_one_line(served: MetricsServer) -> None:
    with pytest.raises(TroubleError, match=r"metrics\.listen: 127\.0\.0\.1:"):
        MetricsServer(("127.0.0.1", served.port))


@pytest.mark.parametrize(
    ("listen", "place"),
    [
        ("127.0.0.1:9842", ("127.0.0.1", 9842)),
        ("[::1]:80", ("::1", 80)),
        ("0.0.0.0:80", None),
        ("192.0.2.1:80", None),
        ("localhost:80", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:99999", None),
        ("127.0.0.1", None),
    ],
)
def test_only_loopback(listen: str, place: tuple[str, int] | None) -> None:
    assert place_of(listen) == place
    if place is None:
        with pytest.raises(BadValuesError, match="loopback"):
            MetricsSettings(listen=listen)


@pytest.mark.parametrize("bad", [{"textfile": "x.prom"}, {"textfile": "/x.txt"}, {"seconds": 0}])
def test_settings_that_cannot_be_meant(bad: dict[str, object]) -> None:
    with pytest.raises(BadValuesError):
        MetricsSettings(**bad)  # type: ignore[arg-type]
