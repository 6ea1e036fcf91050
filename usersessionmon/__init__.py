"""user-session-monitor: who is on this server, since when, and how they left."""

__version__ = "0.1.0"
