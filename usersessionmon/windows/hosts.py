"""Whose logs the given files are: which belong to one host, and in which order they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from .channels import LSM, OPENSSH, RCM, RDP_CORE, SECURITY, SYSTEM
from .survey import Surveyed, folded

READ_IN_TURN = (SYSTEM, RCM, RDP_CORE, LSM, OPENSSH, SECURITY)
"""What the small channels say must be known when Security's records come."""

MERGED_MOST = 64
"""Files that are read side by side; further ones come after them."""


class Host(NamedTuple):
    origin: str
    beside: frozenset[str]


class Step(NamedTuple):
    """One channel of some files.  Their records are merged by record id, for their ids overlap."""

    channel: str
    files: tuple[Surveyed, ...]


class Hosts:
    """Of all files of one ``scan``."""

    def __init__(self, files: Sequence[Surveyed]) -> None:
        self._group = _groups(files)
        channels: dict[str, set[str]] = {}
        for key, found in _channels(files):
            channels.setdefault(self._group.get(key, key), set()).update(found)
        names = _last_names(files, self._group)
        self._hosts = {
            group: Host(names.get(group, group), frozenset(found))
            for group, found in channels.items()
        }

    def of(self, file: Surveyed, computer: str) -> Host:
        """Whose record it is."""
        key = folded(computer) if file.many else _key(file)
        found = self._hosts.get(self._group.get(key, key))
        return found if found is not None else Host(computer or file.path, frozenset(file.spans))

    def steps(self, files: Sequence[Surveyed]) -> list[Step]:
        """The files in the order in which they are read: host by host, of each channel by channel,
        of a channel by record id.  Hosts that a collector's log brings together go together."""
        steps: list[Step] = []
        for together in self._parties(files):
            for channel in READ_IN_TURN:
                having = [file for file in together if channel in file.spans]
                steps += [Step(channel, files) for files in self._merged(having, channel)]
        return steps

    def _parties(self, files: Sequence[Surveyed]) -> list[list[Surveyed]]:
        joined = _Joined()
        for file in files:
            for key in file.many or (_key(file),):
                joined.join(f"path {file.path}", f"host {self._group.get(key, key)}")
        parties: dict[str, list[Surveyed]] = {}
        for file in files:
            parties.setdefault(joined.root(f"path {file.path}"), []).append(file)
        return list(parties.values())

    def _merged(self, files: Iterable[Surveyed], channel: str) -> Iterable[tuple[Surveyed, ...]]:
        ones = [file for file in files if not file.many]
        ones.sort(key=lambda file: (self.of(file, "").origin, file.spans[channel].first))
        cluster: list[Surveyed] = []
        for file in ones:
            if cluster and not (
                len(cluster) < MERGED_MOST and self._overlap(cluster, file, channel)
            ):
                yield tuple(cluster)
                cluster = []
            cluster.append(file)
        if cluster:
            yield tuple(cluster)
        yield from ((file,) for file in files if file.many)

    def _overlap(self, cluster: Sequence[Surveyed], file: Surveyed, channel: str) -> bool:
        if self.of(cluster[0], "") is not self.of(file, ""):
            return False
        return file.spans[channel].first <= max(one.spans[channel].last for one in cluster)


class _Joined:
    """What belongs together, directly or by others (union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, item: str) -> str:
        parent = self._parent
        while (above := parent.setdefault(item, item)) != item:
            parent[item] = item = parent[above]
        return item

    def join(self, one: str, two: str) -> None:
        self._parent[self.root(two)] = self.root(one)


def _key(file: Surveyed) -> str:
    """What a file of one host goes by: its last name, else its path (no name has a line break)."""
    return folded(file.names[-1]) if file.names else f"\n{file.path}"


def _groups(files: Iterable[Surveyed]) -> Mapping[str, str]:
    """Of every name that some file ends with, the one that stands for the host.

    A host's older logs end with a name that its newer ones begin with.  Two hosts that were made
    from one image have no more than the image's name in common, with which none of them ends.
    """
    ones = [file for file in files if not file.many]
    last = {_key(file) for file in ones}
    joined = _Joined()
    for file in ones:
        for name in file.names:
            if folded(name) in last:
                joined.join(_key(file), folded(name))
    return {key: joined.root(key) for key in last}


def _channels(files: Iterable[Surveyed]) -> Iterable[tuple[str, Iterable[str]]]:
    for file in files:
        if file.many:
            yield from ((name, member.channels) for name, member in file.many.items())
        elif file.spans:
            yield _key(file), file.spans


def _last_names(files: Iterable[Surveyed], groups: Mapping[str, str]) -> dict[str, str]:
    """What each host is called in the end: the name after which no file has another."""
    ended: dict[str, list[str]] = {}
    left: set[str] = set()
    shown: dict[str, str] = {}
    for file in files:
        for key, member in file.many.items():
            shown.setdefault(key, member.name or file.path)
        if file.many:
            continue
        left.update(folded(before) for before, after in pairwise(file.names) if before != after)
        ended.setdefault(groups[_key(file)], []).append(file.names[-1] if file.names else file.path)
    for group, names in ended.items():
        shown[group] = next((name for name in names if folded(name) not in left), names[-1])
    return shown
