"""For all tests: how Hypothesis looks for counterexamples (quickly here, more thoroughly and
repeatably in CI), and what one test must not leave to the next."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("here", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """``run``, called within a test, sets its own: the next test's files would be unreadable."""
    before = os.umask(0o022)
    yield
    os.umask(before)
