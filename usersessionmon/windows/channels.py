"""The channels of the Windows event log that tell of people, and which of their events matter."""

from __future__ import annotations

from collections.abc import Mapping

SECURITY = "Security"
LSM = "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"
RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager/Operational"
RDP_CORE = "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational"
SYSTEM = "System"
OPENSSH = "OpenSSH/Operational"
FORWARDED = "ForwardedEvents"
"""A collector's channel: its records keep the channel and the computer that they came from."""

SHORT: Mapping[str, str] = {
    SECURITY: "Security",
    LSM: "LSM",
    RCM: "RCM",
    RDP_CORE: "RdpCoreTS",
    SYSTEM: "System",
    OPENSSH: "OpenSSH",
    FORWARDED: "Forwarded",
}

WANTED: Mapping[str, frozenset[int]] = {
    SECURITY: frozenset(
        {4608, 4616, 4624, 4625, 4634, 4647, 4648, 4672, 4778, 4779, 1102},
    ),
    LSM: frozenset({21, 23, 24, 25, 32, 39, 40, 41, 42}),
    RCM: frozenset({1149}),
    RDP_CORE: frozenset({142, 143}),
    SYSTEM: frozenset({12, 41, 104, 1074, 6005, 6006, 6008}),
    OPENSSH: frozenset({2, 3, 4}),
}
"""12 of Kernel-General and 41 of Kernel-Power alone: other providers use these ids for other
things (``PROVIDERS``)."""

PROVIDERS: Mapping[int, str] = {
    12: "Microsoft-Windows-Kernel-General",
    41: "Microsoft-Windows-Kernel-Power",
    104: "Microsoft-Windows-Eventlog",
    1074: "User32",
    6005: "EventLog",
    6006: "EventLog",
    6008: "EventLog",
}
"""Of which provider an id of the System channel is meant."""
