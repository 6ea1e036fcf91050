"""A Debian host that really boots, in a container: systemd, journald, logind, rsyslog, sshd.

The root file system is built once by debootstrap and cached; every host runs on a copy.  A host
shares the network of this machine (its sshd has a port of its own on loopback), so nothing here
needs bridges or name spaces of the network.  ``USM_DEBIAN_MIRROR`` names another mirror.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
MIRROR = os.environ.get("USM_DEBIAN_MIRROR", "http://deb.debian.org/debian")
SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "openssh-server", "rsyslog"),
    *("sudo", "logrotate", "procps", "make", "ca-certificates"),
    *("python3", "python3-venv", "python3-setuptools", "python3-wheel", "python3-systemd"),
    *("python3-watchdog", "python3-requests", "python3-yaml", "python3-rich"),
)
TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "pgrep", "setpriv", "ssh", "sshpass")
INSIDE = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
ASKED_TO_REBOOT = 133
"""The status of systemd-nspawn --keep-unit when the host inside reboots."""
LEFT_OUT = (
    *(".git", ".venv", "build", "dist", "config/config.yaml", ".hypothesis"),
    *(".mypy_cache", ".ruff_cache", ".pytest_cache"),
)


class ContainerError(Exception):
    """No container can be had here; says why."""


class CommandError(AssertionError):
    """A command inside ended with another status than it should; says what it wrote."""


def why_not() -> str:
    """Why no container can run here; empty: one can be tried."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"needs {', '.join(missing)}" if missing else ""


def wait_until(what: str, seconds: float, ready: Callable[[], bool], step: float = 0.1) -> None:
    """Poll until ``ready()``; AssertionError naming ``what`` when it never is."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(step)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "user-session-monitor"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    with (cache() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def base_root(suite: str = SUITE) -> Path:
    """The root file system of a suite that hosts are copied from; built when it is not cached.

    Raises ContainerError when it cannot be built (no network, not allowed).
    """
    mark = hashlib.sha256(" ".join((suite, *PACKAGES)).encode()).hexdigest()[:10]
    root = cache() / f"root-{suite}-{mark}"
    with _locked():
        if not root.exists():
            for old in cache().glob(f"root-{suite}-*"):
                shutil.rmtree(old, ignore_errors=True)
            _build(root, suite)
    return root


def _build(root: Path, suite: str) -> None:
    """Under another name until it is whole, so that an interrupted build is never used."""
    unfinished = root.with_name(f"root-unfinished-{os.getpid()}")
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    done = subprocess.run(
        [*command, suite, str(unfinished), MIRROR],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        timeout=600,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(unfinished, ignore_errors=True)
        said = done.stdout.decode(errors="replace").splitlines()[-5:]
        raise ContainerError(f"debootstrap from {MIRROR} failed: {' | '.join(said)}")
    shutil.rmtree(unfinished / "var/cache/apt/archives", ignore_errors=True)
    (unfinished / "etc/machine-id").write_text("")  # each host gets its own at its first boot
    unfinished.rename(root)


def copy_project(target: Path) -> None:
    """The working tree as an unpacked archive would be: no .git, no .venv, nothing built."""
    target.mkdir(parents=True)
    excludes = [f"--exclude=./{name}" for name in LEFT_OUT]
    excludes += ["--exclude=__pycache__", "--exclude=*.egg-info"]
    reader = subprocess.Popen(
        ["tar", "-C", str(PROJECT), *excludes, "-cf", "-", "."], stdout=subprocess.PIPE
    )
    with reader:
        subprocess.run(
            ["tar", "-C", str(target), "--no-same-owner", "-xf", "-"],
            stdin=reader.stdout,
            check=True,
        )


class Host:
    """One host: a copy of the root file system that is booted, used and thrown away."""

    def __init__(self, name: str, suite: str = SUITE) -> None:
        """Makes the copy; ``boot`` starts it.  Raises ContainerError."""
        base = base_root(suite)
        self.name = f"{name}-{os.getpid()}"
        self.root = cache() / f"run-{os.getpid()}-{name}"
        self.console = self.root.with_suffix(".console")
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._group: Path | None = None
        _sweep()
        subprocess.run(["cp", "-a", "--reflink=auto", str(base), str(self.root)], check=True)
        (self.root / "etc/hostname").write_text(f"{name}\n")
        # names and certificates as this machine knows them: apt and pip work inside
        shutil.copyfile("/etc/resolv.conf", self.root / "etc/resolv.conf")
        for source in Path("/usr/local/share/ca-certificates").glob("*.crt"):
            shutil.copyfile(source, self.root / "usr/local/share/ca-certificates" / source.name)

    def prepare(self, command: str) -> str:
        """Run a shell command in the file system of the host that is not booted."""
        return _checked(["chroot", str(self.root), *_shell(command)], command, 600, None)

    def boot(self) -> None:
        """Start it and wait until it is up.  Raises ContainerError."""
        self._group = _own_group(self.name)
        with self.console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                [
                    # so that nothing outlives a killed test run
                    *("setpriv", "--pdeathsig", "TERM"),
                    *("sh", "-c", 'echo $$ > "$0"; exec "$@"'),
                    str(self._group / "cgroup.procs" if self._group else "/dev/null"),
                    *("systemd-nspawn", "--quiet", "-D", str(self.root), "--boot"),
                    *("--register=no", "--keep-unit", f"--machine={self.name}"),
                    *("--timezone=off", "--resolv-conf=off", "--link-journal=no"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        self._await_boot()

    def _await_boot(self) -> None:
        def up() -> bool:
            assert self._nspawn is not None
            if self._nspawn.poll() is not None:
                raise ContainerError(f"systemd-nspawn ended: {self._last_words()}")
            self._init = self._find_init()
            if not self._init:
                return False
            state = self.try_run("systemctl is-system-running").stdout.strip()
            return state in (b"running", b"degraded")

        try:
            wait_until("the host is up", 60, up)
        except AssertionError as error:
            raise ContainerError(f"{error}: {self._last_words()}") from error

    def _find_init(self) -> int:
        assert self._nspawn is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self._nspawn.pid)], stdout=subprocess.PIPE, check=False
        ).stdout.split()
        return int(found[0]) if found else 0

    def _last_words(self) -> str:
        return self.console.read_bytes()[-2000:].decode(errors="replace")

    def _enter(self, command: str) -> list[str]:
        spaces = ("-m", "-p", "-u", "-i", "-C")
        return ["nsenter", "-t", str(self._init), *spaces, "--", *_shell(command)]

    def try_run(self, command: str, seconds: float = 60) -> subprocess.CompletedProcess[bytes]:
        """Run a shell command inside; its status is the caller's business."""
        return subprocess.run(
            self._enter(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )

    def run(self, command: str, *, status: int = 0, seconds: float = 120, stdin: str = "") -> str:
        """Run a shell command inside and return what it wrote to standard output.

        Raises CommandError when it ends with another status than ``status``.
        """
        return _checked(self._enter(command), command, seconds, stdin, status)

    def reboot(self) -> None:
        """An orderly reboot; returns when the host is up again."""
        assert self._nspawn is not None
        self.try_run("systemctl reboot")
        if self._nspawn.wait(60) != ASKED_TO_REBOOT:
            raise ContainerError(f"the host did not reboot: {self._last_words()}")
        self.boot()

    def power_off(self) -> None:
        """An orderly end; ``boot`` starts it again."""
        assert self._nspawn is not None
        self.try_run("systemctl poweroff")
        if self._nspawn.wait(60) != 0:
            raise ContainerError(f"the host did not power off: {self._last_words()}")

    def pull_the_plug(self) -> None:
        """Everything inside is gone at once; ``boot`` starts it again."""
        assert self._nspawn is not None
        os.kill(self._init, signal.SIGKILL)
        self._nspawn.wait(30)

    def close(self) -> None:
        """End it and remove the copy."""
        if self._nspawn is not None and self._nspawn.poll() is None:
            self._nspawn.terminate()  # asks the init inside to power off
            try:
                self._nspawn.wait(20)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._find_init() or self._nspawn.pid, signal.SIGKILL)
                self._nspawn.wait(20)
        _remove(self.root)
        self.console.unlink(missing_ok=True)
        if self._group is not None:
            folders = sorted(self._group.rglob("*"), reverse=True)
            for folder in (*(one for one in folders if one.is_dir()), self._group):
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _own_group(name: str) -> Path | None:
    """A control group of its own: in a shared one two hosts would end each other's services."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    for _, place, kind, *_ in mounts:
        if kind == "cgroup2":
            group = Path(place, f"usm-{name}")
            group.mkdir(exist_ok=True)
            return group
    return None


def _sweep() -> None:
    """Remove what killed test runs have left."""
    for left in cache().glob("run-*"):
        pid = left.name.split("-")[1]
        if not Path("/proc", pid).exists():
            _remove(left)


def _remove(path: Path) -> None:
    subprocess.run(["rm", "-rf", "--one-file-system", str(path)], check=False)


def _shell(command: str) -> list[str]:
    return [
        "env",
        "-i",
        *(f"{name}={value}" for name, value in INSIDE.items()),
        "sh",
        "-c",
        command,
    ]


def _checked(
    arguments: list[str], command: str, seconds: float, stdin: str | None, status: int = 0
) -> str:
    done = subprocess.run(
        arguments,
        input=(stdin or "").encode(),
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    out = done.stdout.decode(errors="replace")
    if done.returncode != status:
        said = done.stderr.decode(errors="replace")
        raise CommandError(
            f"{shlex.quote(command)} ended with {done.returncode}, not {status}\n{out}\n{said}"
        )
    return out
