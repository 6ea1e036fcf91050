"""How Hypothesis looks for counterexamples: quickly here, more thoroughly and repeatably in CI."""

import os

from hypothesis import settings

settings.register_profile("here", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
