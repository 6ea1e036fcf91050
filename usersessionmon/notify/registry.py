"""From a channel's settings to the channel: the one place that knows every kind."""

from __future__ import annotations

from . import apprise, dingtalk, feishu, mail, webhook, wecom
from .courier import BatchChannel
from .pace import Budget
from .settings import (
    AppriseSettings,
    ChannelSettings,
    DingTalkSettings,
    FeishuSettings,
    MailSettings,
    WebhookSettings,
    WeComSettings,
)
from .words import Voice


def channel_of(name: str, where: str, settings: ChannelSettings, voice: Voice) -> BatchChannel:
    """The channel called ``name``; ``where`` its settings stand, for messages (``channels.ops``).
    Raises UserError when they, or a file that they name, cannot be used."""
    match settings:
        case FeishuSettings():
            return feishu.make(name, where, settings, voice)
        case DingTalkSettings():
            return dingtalk.make(name, where, settings, voice)
        case WeComSettings():
            return wecom.make(name, where, settings, voice)
        case WebhookSettings():
            return webhook.make(name, where, settings, voice)
        case MailSettings():
            return mail.make(name, where, settings, voice)
        case AppriseSettings():
            return apprise.make(name, where, settings, voice)


def budget_of(settings: ChannelSettings) -> Budget:
    """How fast the channel may be."""
    return Budget(settings.per_second, settings.per_minute, settings.reserve)
