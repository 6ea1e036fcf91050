"""What is installed beside the program says the same as the program."""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path

import yaml

from usersessionmon.cli.config_file import example_text
from usersessionmon.config import Settings, load

PROJECT = Path(__file__).resolve().parents[1]
EXAMPLE = PROJECT / "config/config.yaml.example"
UNIT = PROJECT / "packaging/user-session-monitor.service"


def test_the_example_configuration_is_the_defaults() -> None:
    assert load(EXAMPLE) == Settings()


def test_the_example_is_one_file_that_the_program_brings_along() -> None:
    assert EXAMPLE.is_symlink() and EXAMPLE.readlink().parts[0] == ".."
    assert EXAMPLE.samefile(PROJECT / "usersessionmon/config.yaml.example")
    assert example_text() == EXAMPLE.read_text(encoding="utf-8")
    assert '"config.yaml.example"' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_example_configuration_names_every_key() -> None:
    def keys(settings: object) -> dict[str, object]:
        assert dataclasses.is_dataclass(settings)
        return {
            one.name: keys(value) if dataclasses.is_dataclass(value) else None
            for one in dataclasses.fields(settings)
            for value in [getattr(settings, one.name)]
        }

    def names(node: object) -> object:
        return (
            {key: names(value) for key, value in node.items()} if isinstance(node, dict) else None
        )

    assert names(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))) == keys(Settings())


def test_make_alone_lists_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    listed = set(re.findall(r"^  make ([a-z-]+) ", said, re.MULTILINE))
    wanted = "run test demo bench deps build deb rpm clean install uninstall install-service lint"
    assert not {*wanted.split(" "), "test-hosts"} - listed


def test_the_unit_keeps_what_the_program_needs() -> None:
    """Directives that would hide who is on, or the boot, must not come back."""
    unit = UNIT.read_text(encoding="utf-8")
    for needed in ("Type=notify", "WatchdogSec=60", "StateDirectory=user-session-monitor"):
        assert re.search(f"^{needed}$", unit, re.MULTILINE)
    for harmful in ("ProtectProc", "ProcSubset", "PrivateUsers", "ProtectKernelTunables"):
        assert not re.search(f"^{harmful}=", unit, re.MULTILINE)


def test_without_the_library_for_event_logs_the_set_up_goes_on(tmp_path: Path) -> None:
    python = tmp_path / "python"
    asked = tmp_path / "asked"
    python.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *find_spec*) echo evtx ;; *) echo "$*" >{asked}; exit 1 ;; esac\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    script = '. packaging/common.sh; put_evtx "$1"; echo goes on'
    done = subprocess.run(
        ["sh", "-euc", script, "sh", str(python)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    told, last = done.stdout.splitlines()
    assert told.startswith("--> going on without the library evtx")
    assert (last, done.stderr) == ("goes on", "")
    needed = asked.read_text(encoding="utf-8").split()
    assert "--only-binary" in needed
    assert f'evtx = ["{needed[-1]}"]' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    files = (PROJECT / "usersessionmon/windows/files.py").read_text(encoding="utf-8")
    assert f"pip install '{needed[-1]}'" in files
