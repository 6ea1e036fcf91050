"""Where each notice goes.  Pure: the rules are the configuration's, the facts the notice's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from usersessionmon.fitting import Networks, is_named
from usersessionmon.model import Notice, Severity

from .base import Posted
from .settings import MentionSettings, RouteSettings

NIGHT = "night"
"""The bundle of what waited for the end of quiet hours."""
_NEVER_HELD = frozenset({"report", "heartbeat", "test"})
"""Kinds that have their own time, or are waited for."""


class Router:
    """The first route that fits a notice says where it goes; one that none fits goes everywhere:
    what nobody thought of must not get lost."""

    def __init__(
        self,
        channels: Iterable[str],
        routes: Sequence[RouteSettings] = (),
        people: Collection[str] = (),
        mention: MentionSettings | None = None,
        held: Callable[[int], int | None] = lambda _now_us: None,
    ) -> None:
        """``channels``: the names of all there are; ``people``: whom they can call by name;
        ``held``: until when what is queued at a moment waits, if it is routine."""
        self._held = held
        self._people = frozenset(people)
        self._mention = mention or MentionSettings()
        self.unrouted = 0
        """Notices that a route without channels kept back."""
        self._channels = tuple(channels)
        self._routes = tuple(_Route(settings) for settings in routes)

    def post(self, notices: Iterable[Notice], now_us: int) -> list[Posted]:
        """The notices with their channels, in order.  The present decides whether they are held,
        not when something happened: it is now that people sleep."""
        return [self._posted(notice, now_us) for notice in notices]

    def _posted(self, told: Notice, now_us: int) -> Posted:
        notice = replace(told, people=self._called(told))
        route = next((route for route in self._routes if route.fits(notice)), None)
        channels = self._channels if route is None else route.to
        self.unrouted += not channels and route is not None
        held_us = self._until(notice, now_us)
        bundle = "" if held_us is None else NIGHT
        return Posted(notice, self._besides(notice.not_to, channels), held_us, bundle)

    def _until(self, notice: Notice, now_us: int) -> int | None:
        if notice.severity is not Severity.ROUTINE or notice.kind in _NEVER_HELD:
            return None
        return self._held(now_us)

    def _besides(self, broken: str, channels: Sequence[str]) -> Sequence[str]:
        """Without the channel that does not work; where it is the only one, all others."""
        if broken not in channels:
            return channels
        left = tuple(name for name in channels if name != broken)
        return left or tuple(name for name in self._channels if name != broken)

    def _called(self, notice: Notice) -> tuple[str, ...]:
        """Who is to be rung: the owner of the account and whoever is on duty, and nobody for what
        is routine."""
        if notice.severity is not Severity.ABNORMAL:
            return ()
        owner = notice.people if self._mention.owner else ()
        known = next((name for name in owner if name in self._people), None)
        return tuple(dict.fromkeys(filter(None, (known, *self._mention.on_duty))))


class _Route:
    def __init__(self, settings: RouteSettings) -> None:
        self.to = tuple(dict.fromkeys(settings.to))
        self._settings = settings
        self._networks = Networks(settings.networks)

    def fits(self, notice: Notice) -> bool:
        """Whether the notice is all that the route asks for."""
        asked = self._settings
        return (
            (not asked.events or notice.kind in asked.events)
            and (asked.severity is None or notice.severity == asked.severity)
            and (not asked.users or is_named(notice.user, asked.users))
            and (not asked.hosts or is_named(notice.host, asked.hosts))
            and (not self._networks or self._networks.hold(notice.ip))
        )
