"""Hosts for the suite; without root or the tools the suite is skipped, and fails where
``USM_REQUIRE_SYSTEM=1`` says that it must run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest

from .nspawn import SUITE, ContainerError, Host, why_not


class MakeHost(Protocol):
    def __call__(self, name: str, suite: str = SUITE) -> Host: ...


def _without(reason: str) -> None:
    if os.environ.get("USM_REQUIRE_SYSTEM") == "1":
        pytest.fail(f"the container suite must run here and cannot: {reason}")
    pytest.skip(f"container suite: {reason}")


@pytest.fixture(scope="module")
def make_host() -> Iterator[MakeHost]:
    """Makes hosts by name, not booted yet; they end with the module."""
    hosts: list[Host] = []

    def make(name: str, suite: str = SUITE) -> Host:
        reason = why_not()
        if reason:
            _without(reason)
        try:
            hosts.append(Host(name, suite))
        except ContainerError as error:
            _without(str(error))
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


@pytest.fixture(scope="module")
def boot() -> Callable[[Host], None]:
    """Boots a host; where nspawn cannot run at all, that is no failure of the program."""

    def start(host: Host) -> None:
        try:
            host.boot()
        except ContainerError as error:
            _without(str(error))

    return start
