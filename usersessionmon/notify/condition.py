"""How a channel fares: its state for ``status``, and a line in the log for each change."""

from __future__ import annotations

import logging
from dataclasses import replace

from usersessionmon.entries import Entry, entry

from .base import Answer, ChannelState, Result


def after(
    before: ChannelState, answer: Answer, result: Result, now_us: int, wait: float
) -> ChannelState:
    """The state after one more exchange; ``wait``: seconds until the next."""
    delivered = answer is Answer.DELIVERED
    return replace(
        before,
        answer=answer,
        said=result.said,
        failures_in_row=0 if delivered else before.failures_in_row + 1,
        delivered_us=now_us if delivered else before.delivered_us,
        tried_us=now_us,
        retry_us=now_us + round(wait * 1_000_000) if wait else None,
    )


class Herald:
    """Says in the log how a channel fares: once for each change, not for each attempt."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        self._name = name
        self._log = log
        self._told: str | None = None

    def tell(self, answer: Answer, said: str, wait: float) -> None:
        """``wait``: seconds until the next attempt."""
        if answer is Answer.PAYLOAD:
            return  # of one notice, not of the channel
        if answer is Answer.DELIVERED:
            if self._told is not None:
                kept = entry(Entry.CHANNEL_WORKS, channel=self._name)
                self._log.info("delivery to %s: works again", self._name, extra=kept)
            self._told = None
            return
        held = answer is Answer.CONFIGURATION
        change = said if held else answer.value
        if change == self._told:
            return
        self._told = change
        if held:
            self._log.error(
                "delivery to %s: HELD until this is mended: %s; notices are kept, next in %.0f s",
                self._name, said, wait,
                extra=entry(Entry.CHANNEL_HELD, channel=self._name, said=said),
            )  # fmt: skip
        else:
            self._log.warning(
                "delivery to %s: %s: %s; notices are kept, next try in %.0f s",
                self._name, answer.value, said, wait,
                extra=entry(Entry.CHANNEL_FAILS, channel=self._name, answer=answer, said=said),
            )  # fmt: skip
