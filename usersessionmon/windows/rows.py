"""A connection as people and programs are shown it."""

from __future__ import annotations

from dataclasses import replace

from usersessionmon.model import Change, ChangeKind, Moment, Reason, SessionView

from .state import Conn


def change_of(conn: Conn, kind: ChangeKind, time: Moment) -> Change:
    return Change(
        kind=kind,
        time=time,
        host=conn.host,
        service=conn.service,
        user=conn.user,
        ip=conn.ip,
        client_host=conn.client_host,
        port=conn.port,
        session=conn.session,
        tty=conn.tty,
        again=conn.again and kind is ChangeKind.LOGIN,
        domain=conn.domain,
    )


def view(conn: Conn) -> SessionView:
    """The row that people see until the end is told."""
    return SessionView(
        session=conn.session,
        host=conn.host,
        service=conn.service,
        user=conn.user,
        ip=conn.ip,
        port=conn.port,
        method=None,
        key_fingerprint=None,
        login_time=conn.login_time,
        logout_time=None,
        duration=None,
        reason=None,
        abnormal=False,
        inferred=False,
        state="open",
        tty=conn.tty,
        row=conn.row,
    )


def closed(conn: Conn, length: float | None) -> SessionView:
    return replace(
        view(conn),
        logout_time=conn.end_time,
        duration=length,
        reason=conn.reason or Reason.UNKNOWN,
        abnormal=conn.abnormal,
        inferred=conn.inferred,
        state="closed",
        by_user=conn.by_user,
        by_ip=conn.by_ip,
        kept=conn.kept,
    )
