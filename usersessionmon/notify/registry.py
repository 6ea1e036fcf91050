"""From a channel's settings to the channel: the one place that knows every kind."""

from __future__ import annotations

from . import dingtalk, feishu, webhook, wecom
from .courier import BatchChannel
from .pace import Budget
from .settings import (
    ChannelSettings,
    DingTalkSettings,
    FeishuSettings,
    WebhookSettings,
    WeComSettings,
)
from .words import Voice


def channel_of(name: str, where: str, settings: ChannelSettings, voice: Voice) -> BatchChannel:
    """The channel called ``name``; ``where`` its settings stand, for messages (``channels.ops``).
    Raises UserError when a file that they name cannot be used."""
    match settings:
        case FeishuSettings():
            return feishu.make(name, where, settings, voice)
        case DingTalkSettings():
            return dingtalk.make(name, where, settings, voice)
        case WeComSettings():
            return wecom.make(name, where, settings, voice)
        case WebhookSettings():
            return webhook.make(name, where, settings, voice)
        case _:
            raise NotImplementedError(settings.TYPE)


def budget_of(settings: ChannelSettings) -> Budget:
    """How fast the channel may be."""
    return Budget(settings.per_second, settings.per_minute, settings.reserve)
