"""Every way in which a session ends that can be provoked on a real host: one logout each, with the
right reason and length.  Two monitors look on, one at the journal and one at the file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import pytest

from tests.feishu_double import FeishuDouble

from .conftest import MakeHost
from .nspawn import Host, free_port, wait_until
from .people import Visit
from .test_end_to_end import PROGRAM, SERVICE, Site, prepare

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

STAY = 1.5
"""How long each visit lasts at least, in seconds."""
NEAR = 2.0
"""How far what is told may be from what happened, in seconds."""


class Shell:
    """Somebody in an interactive shell."""

    def __init__(self, site: Site, *options: str) -> None:
        self.address = f"127.0.7.{next(site.addresses)}"
        self._ssh = subprocess.Popen(
            [
                *("ssh", "-F", "none", "-tt", "-p", str(site.port), "-b", self.address),
                *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
                *("-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR", "-i", str(site.key)),
                *(*options, "alice@127.0.0.1"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
        )
        self.pid = self._ssh.pid
        self.type("echo ready $SSH_CLIENT\n")
        assert self._ssh.stdout is not None
        said = b""
        while (found := re.search(rb"ready 127\S+ (\d+) \d", said)) is None:
            more = self._ssh.stdout.read(1000)
            assert more, f"could not log in: {said!r}"
            said += more
        self.port = int(found[1])
        self.began = time.time()
        self.ended = 0.0

    def type(self, text: str) -> None:
        assert self._ssh.stdin is not None
        self._ssh.stdin.write(text.encode())

    def wait(self) -> None:
        self._ssh.wait(30)

    def kill(self, number: int) -> None:
        self._ssh.send_signal(number)

    def close(self) -> None:
        if self._ssh.poll() is None:
            self._ssh.kill()
        self._ssh.wait(30)
        for stream in (self._ssh.stdin, self._ssh.stdout):
            if stream is not None:
                stream.close()


def types(text: str) -> Callable[[Site, Shell], None]:
    def end(_: Site, shell: Shell) -> None:
        shell.type(text)
        shell.wait()

    return end


def signals(number: int) -> Callable[[Site, Shell], None]:
    def end(_: Site, shell: Shell) -> None:
        shell.kill(number)
        if number != signal.SIGSTOP:
            shell.wait()

    return end


def inside(command: str) -> Callable[[Site, Shell], None]:
    """``$monitor`` is sshd's monitor process, ``$session`` logind's name of the session."""
    script = (
        "monitor=$(pgrep -f '^sshd: alice .priv.'); "
        "session=$(loginctl list-sessions --no-legend | awk '$3 == \"alice\" {print $1}'); "
    )

    def end(site: Site, _: Shell) -> None:
        site.host.run(script + command)

    return end


def resets(_: Site, shell: Shell) -> None:
    """The client dies with data that it has not read: its kernel sends a reset."""
    shell.kill(signal.SIGSTOP)
    time.sleep(0.5)
    shell.kill(signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Ending:
    name: str
    provoke: Callable[[Site, Shell], None]
    reasons: frozenset[str]
    late: float = 0.0
    """How much later than the provocation the session ends."""
    typed: str = ""
    """What runs meanwhile."""


USER, UNKNOWN, KILLED = (frozenset({reason}) for reason in ("user", "unknown", "killed"))
UNSAID = UNKNOWN | KILLED
"""OpenSSH 9.2 writes nothing about a child that was killed, nor about a client that died."""
ENDINGS = (
    Ending("exit", types("exit\n"), USER),
    Ending("exit 3", types("exit 3\n"), USER),
    Ending("Ctrl-D", types("\x04"), USER),
    Ending("client's ~.", types("\n~."), USER),
    Ending("client terminated", signals(signal.SIGTERM), USER),
    Ending("client killed", signals(signal.SIGKILL), UNKNOWN),
    Ending("reset", resets, frozenset({"network", "unknown"}), typed="yes\n"),
    Ending("client frozen", signals(signal.SIGSTOP), frozenset({"timeout"}), late=3.0),
    Ending("terminate-session", inside("loginctl terminate-session $session"), KILLED),
    Ending("pkill -HUP", inside("pkill -HUP -u alice -f '^sshd: alice@pts'"), UNSAID),
    Ending("pkill", inside("pkill -TERM -u alice -f '^sshd: alice@pts'"), UNSAID),
    Ending("pkill -KILL", inside("pkill -KILL -u alice -f '^sshd: alice@pts'"), UNSAID),
    Ending("everything killed", inside("pkill -KILL -u alice"), UNSAID),
    Ending("monitor terminated", inside("kill -TERM $monitor"), UNSAID),
    Ending("monitor killed", inside("kill -KILL $monitor; pkill -KILL -u alice"), KILLED),
)


SECOND = "second-monitor.service"
SECOND_CONFIG = "/root/second.yaml"
LEDGERS = ("journal", "file")


@pytest.fixture(scope="module")
def site(
    make_host: MakeHost, boot: Callable[[Host], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    host = make_host("endings")
    port = free_port()
    key = tmp_path_factory.mktemp("key") / "id"
    prepare(host, port, key)
    with (host.root / "etc/ssh/sshd_config.d/test.conf").open("a") as config:
        config.write("ClientAliveInterval 1\nClientAliveCountMax 2\n")
    (host.root / SECOND_CONFIG[1:]).write_text(
        "monitor:\n  source: file\nstate:\n  dir: /var/lib/second\n"
    )
    (host.root / f"etc/systemd/system/{SECOND}").write_text(
        f"[Service]\nExecStart={PROGRAM} --config {SECOND_CONFIG} run\nType=notify\n"
    )
    boot(host)
    host.run("make --silent -C /root/src install install-service", seconds=300)
    with FeishuDouble(limits=False) as group:
        one = Site(host, group, port, key, "journal")
        one.configure()
        monitors(one, "restart")
        yield one
    host.close()


def monitors(site: Site, what: str) -> None:
    site.host.run(f"systemctl {what} {SERVICE} {SECOND}")


def rows(site: Site, ledger: str, command: str) -> list[dict[str, Any]]:
    """What one of the monitors knows."""
    if ledger == "journal":
        return site.rows(command)
    text = site.host.run(f"{PROGRAM} --config {SECOND_CONFIG} {command} --json")
    return [json.loads(line) for line in text.splitlines()]


def row_of(site: Site, ledger: str, shell: Shell) -> dict[str, Any]:
    (row,) = [
        row
        for row in rows(site, ledger, "history --limit 1000")
        if (row["ip"], row["port"]) == (shell.address, shell.port)
    ]
    return row


def near(told: str, happened: float) -> bool:
    return abs(datetime.fromisoformat(told).timestamp() - happened) <= NEAR


def is_known(site: Site, shell: Shell) -> bool:
    """To both."""
    return all(
        any(row["port"] == shell.port for row in rows(site, ledger, "who")) for ledger in LEDGERS
    )


def is_over(site: Site, shell: Shell) -> bool:
    return all(row_of(site, ledger, shell)["state"] == "closed" for ledger in LEDGERS)


def end(site: Site, ending: Ending) -> tuple[Shell, float]:
    """Somebody comes and goes; when they went."""
    shell = Shell(site)
    try:
        shell.type(ending.typed)
        wait_until("it is known", 20, partial(is_known, site, shell))
        time.sleep(max(0.0, shell.began + STAY - time.time()))
        ending.provoke(site, shell)
        ended = time.time() + ending.late
        wait_until(f"{ending.name}: it is over", 50, partial(is_over, site, shell), 0.3)
    finally:
        shell.close()
    return shell, ended


def wrong_in(row: dict[str, Any], shell: Shell, ended: float, reasons: frozenset[str]) -> list[str]:
    """What the ledger says otherwise than it was."""
    wrong = []
    if row["reason"] not in reasons:
        wrong.append(f"{row['reason']}, not {' or '.join(sorted(reasons))}")
    if row["abnormal"] != (row["reason"] in {"network", "timeout", "killed"}):
        wrong.append(f"abnormal: {row['abnormal']}")
    if not near(row["login_time"], shell.began) or not near(row["logout_time"], ended):
        wrong.append(f"{row['login_time']} to {row['logout_time']}")
    if abs(row["duration"] - (ended - shell.began)) > NEAR:
        wrong.append(f"{row['duration']} s, not {ended - shell.began:.1f}")
    return wrong


def test_every_ending(site: Site) -> None:
    wrong = {}
    for ending in ENDINGS:
        shell, ended = end(site, ending)
        for ledger in LEDGERS:
            reasons = ending.reasons
            if ledger == "file" and ending.name == "terminate-session":
                reasons = UNSAID  # only systemd says so, and not in this file
            found = wrong_in(row_of(site, ledger, shell), shell, ended, reasons)
            if found:
                wrong[f"{ending.name} ({ledger})"] = found
    assert wrong == {}
    for ledger in LEDGERS:
        assert len(rows(site, ledger, "history --limit 1000")) == len(ENDINGS)


def test_sessions_outlive_a_restart_of_sshd(site: Site) -> None:
    shell = Shell(site)
    wait_until("it is known", 20, partial(is_known, site, shell))
    site.host.run("systemctl restart ssh; sleep 3")
    assert is_known(site, shell)
    monitors(site, "restart")
    assert is_known(site, shell)
    shell.type("exit\n")
    wait_until("it is over", 20, partial(is_over, site, shell), 0.3)
    shell.close()
    for ledger in LEDGERS:
        assert row_of(site, ledger, shell)["reason"] == "user"


def test_who_came_and_went_while_nobody_looked(site: Site) -> None:
    """The monitors are stopped meanwhile."""
    before = Shell(site)
    wait_until("it is known", 20, partial(is_known, site, before))
    monitors(site, "stop")
    meanwhile, stays = Shell(site), Shell(site)
    time.sleep(STAY)
    for shell in (before, meanwhile):
        shell.type("exit\n")
        shell.wait()
        shell.ended = time.time()
    monitors(site, "start")
    for shell in (before, meanwhile):
        wait_until("it is over", 20, partial(is_over, site, shell), 0.3)
        for ledger in LEDGERS:
            assert wrong_in(row_of(site, ledger, shell), shell, shell.ended, USER) == []
    assert is_known(site, stays)
    stays.type("exit\n")
    wait_until("it is over", 20, partial(is_over, site, stays), 0.3)
    for shell in (before, meanwhile, stays):
        shell.close()


ROTATE = "/var/log/auth.log {{\n missingok\n rotate 9\n compress\n {how}\n}}\n"
CREATE = "create 0640 root adm\n postrotate\n /usr/lib/rsyslog/rsyslog-rotate\n endscript"
UNREST = (
    "logrotate -f /root/create.conf",
    "journalctl --rotate --vacuum-time=1s",
    "systemctl restart rsyslog",
    "cp -p /var/log/auth.log /root/copy && mv /root/copy /var/log/auth.log"
    " && systemctl kill -s HUP rsyslog",
    "systemctl restart systemd-journald",
    "logrotate -f /root/create.conf",
    "journalctl --rotate --vacuum-time=1s",
)
QUIET = "logrotate -f /root/copytruncate.conf"
"""What is written between its copying and its truncating is lost to everybody."""


def test_what_rotates_loses_and_doubles_nothing(site: Site) -> None:
    for name, how in (("create", CREATE), ("copytruncate", "copytruncate")):
        site.host.run(f"cat > /root/{name}.conf", stdin=ROTATE.format(how=how))
    before = len(site.rows("history --limit 1000"))  # the same in both
    visits: list[Visit] = []
    for command in UNREST:
        visits += [site.visit(), site.visit("bob", by_key=False)]
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(site.host.run, command)
            visits.append(site.visit())
            visits[-1].leave()
            done.result()
        visits[-3].leave()
        time.sleep(1)
        site.host.run(QUIET)
        time.sleep(1)
    stay = [visit for visit in visits if not visit.ended]
    assert len(stay) == len(UNREST)
    for visit in stay:
        visit.leave()

    def closed(ledger: str) -> list[dict[str, Any]]:
        found = rows(site, ledger, "history --limit 1000")
        return [row for row in found if row["state"] == "closed"]

    def all_over() -> bool:
        return all(len(closed(ledger)) >= before + len(visits) for ledger in LEDGERS)

    wait_until("all are over", 30, all_over, 0.3)
    for ledger in LEDGERS:
        peers = Counter(
            (row["user"], row["ip"], row["port"], row["reason"]) for row in closed(ledger)
        )
        for visit in visits:
            assert peers[visit.user, visit.address, visit.port, "user"] == 1, ledger
        assert len(rows(site, ledger, "history --limit 1000")) == before + len(visits)

    def told() -> Counter[str]:
        lines = "\n".join(site.group.texts()).splitlines()
        return Counter(visit.address for visit in visits for line in lines if visit.address in line)

    wait_until("all is told", 60, lambda: sum(told().values()) >= 2 * len(visits))
    assert told() == {visit.address: 2 for visit in visits}
