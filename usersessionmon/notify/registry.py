"""From a channel's settings to the channel: the one place that knows every kind.

A kind is loaded when there is a channel of it: each is a part of the time and memory that starting
takes.
"""

from __future__ import annotations

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
            from . import feishu

            return feishu.make(name, where, settings, voice)
        case DingTalkSettings():
            from . import dingtalk

            return dingtalk.make(name, where, settings, voice)
        case WeComSettings():
            from . import wecom

            return wecom.make(name, where, settings, voice)
        case WebhookSettings():
            from . import webhook

            return webhook.make(name, where, settings, voice)
        case MailSettings():
            from . import mail

            return mail.make(name, where, settings, voice)
        case AppriseSettings():
            from . import apprise

            return apprise.make(name, where, settings, voice)


def budget_of(settings: ChannelSettings, shared: dict[tuple[str, str], Budget]) -> Budget:
    """How fast the channel may be.  ``shared``: the budgets of the channels before this one, by
    bot: the limits are the bot's, however many channels send to it."""
    made = Budget(settings.per_second, settings.per_minute, settings.reserve)
    if not isinstance(settings, (FeishuSettings, DingTalkSettings, WeComSettings)):
        return made
    return shared.setdefault((settings.webhook_url, settings.webhook_url_file), made)
