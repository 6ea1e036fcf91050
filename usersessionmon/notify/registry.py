"""From a channel's settings to the channel: the one place that knows every kind."""

from __future__ import annotations

from . import feishu
from .courier import BatchChannel
from .pace import Budget
from .settings import ChannelSettings, FeishuSettings
from .words import Voice


def channel_of(name: str, where: str, settings: ChannelSettings, voice: Voice) -> BatchChannel:
    """The channel called ``name``; ``where`` its settings stand, for messages (``channels.ops``).
    Raises UserError when a file that they name cannot be used."""
    match settings:
        case FeishuSettings():
            return feishu.make(name, where, settings, voice)
        case _:
            raise NotImplementedError(settings.TYPE)


def budget_of(settings: ChannelSettings) -> Budget:
    """How fast the channel may be."""
    return Budget(settings.per_second, settings.per_minute, settings.reserve)
