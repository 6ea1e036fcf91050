"""The packages hold what an install needs, with the right owners, and are the same twice."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from usersessionmon import __version__
from usersessionmon.store import db
from usersessionmon.store.place import open_state

ROOT = Path(__file__).parents[1]
NAME = "user-session-monitor"
SHARED = {
    f"/usr/bin/{NAME}",
    f"/usr/lib/{NAME}/usersessionmon/__main__.py",
    f"/usr/lib/{NAME}/usersessionmon/config.yaml.example",  # of setup
    f"/usr/lib/{NAME}/usersessionmon/store/migrations/0001_state.sql",
    f"/usr/lib/{NAME}/usersessionmon/rules/packs/sshd.yaml",
    f"/usr/lib/systemd/system/{NAME}.service",
    f"/usr/lib/sysusers.d/{NAME}.conf",
    f"/usr/lib/tmpfiles.d/{NAME}.conf",
    f"/usr/share/man/man8/{NAME}.8.gz",
    f"/usr/share/man/man5/{NAME}.yaml.5.gz",
    f"/usr/share/bash-completion/completions/{NAME}",
    f"/usr/share/fish/vendor_completions.d/{NAME}.fish",
    f"/usr/share/{NAME}/config.yaml.example",
}


def said(*words: str | Path, **environment: str) -> str:
    done = subprocess.run(
        words, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(kind: str, folder: Path, version: str = "1.2.3") -> Path:
    tool = {"deb": "dpkg-deb", "rpm": "rpmbuild"}[kind]
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    said("sh", ROOT / "packaging/package.sh", kind, VERSION=version, DIST=str(folder))
    (package,) = folder.glob(f"*.{kind}")
    return package


def unpacked(deb: Path, folder: Path) -> Path:
    said("dpkg-deb", "--raw-extract", deb, folder)
    return folder


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("deb", tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def rpm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("rpm", tmp_path_factory.mktemp("rpm"))


# --- .deb -----------------------------------------------------------------------------------------


def test_the_deb_holds_what_an_install_needs(deb: Path) -> None:
    rows = [line.split(maxsplit=5) for line in said("dpkg-deb", "-c", deb).splitlines()]
    files = {row[5].partition(" -> ")[0].removeprefix("."): row[:2] for row in rows}
    assert set(files) >= SHARED | {f"/usr/share/doc/{NAME}/copyright"}
    assert {owner for _, owner in files.values()} == {"root/root"}
    runnable = {name for name, (mode, _) in files.items() if mode.startswith("-") and "x" in mode}
    assert runnable == {f"/usr/bin/{NAME}", f"/usr/share/python3/runtime.d/{NAME}.rtupdate"}
    # the configuration holds secrets: made by postinst, with the group's own mode
    assert not any(name.startswith("/etc") or "__pycache__" in name for name in files)


def test_the_deb_takes_the_distributions_libraries(deb: Path) -> None:
    fields = said("dpkg-deb", "-f", deb, "Version", "Architecture", "Depends")
    assert "Version: 1.2.3\nArchitecture: all\n" in fields
    named = re.search(
        r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S
    )
    assert named is not None
    for library, least in re.findall(r'"([A-Za-z]+)>=([0-9.]+)"', named[1]):
        package = {"PyYAML": "yaml"}.get(library, library)
        assert f"python3-{package} (>= {least})" in fields
    assert "python3-systemd" in fields
    assert "python3 (>= 3.11)" in fields


def test_the_debs_program_runs_from_where_it_lies(deb: Path, tmp_path: Path) -> None:
    tree = unpacked(deb, tmp_path / "tree")
    unit = (tree / f"usr/lib/systemd/system/{NAME}.service").read_text(encoding="utf-8")
    assert f"ExecStart=/usr/bin/{NAME} run\n" in unit
    assert "/usr/local" not in unit
    launcher = (tree / f"usr/bin/{NAME}").read_text(encoding="utf-8")
    here = launcher.replace('"/usr/lib/', f'"{tree}/usr/lib/')
    assert here != launcher
    (tmp_path / "launcher").write_text(here, encoding="utf-8")
    assert (tree / f"usr/lib/{NAME}/usersessionmon/config.yaml.example").read_text(encoding="utf-8")
    version = said(sys.executable, "-IBXutf8", tmp_path / "launcher", "--version")
    assert version.split() == [NAME, __version__]


def test_the_same_tree_gives_the_same_deb(deb: Path, tmp_path: Path) -> None:
    assert built("deb", tmp_path).read_bytes() == deb.read_bytes()


# --- .rpm -----------------------------------------------------------------------------------------


def test_the_rpm_holds_what_an_install_needs(rpm: Path) -> None:
    form = "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]"
    rows = [line.split() for line in said("rpm", "-qp", "--qf", form, rpm).splitlines()]
    files = {row[3]: (row[0], row[1], row[2]) for row in rows}
    assert set(files) >= SHARED | {f"/usr/share/licenses/{NAME}/LICENSE"}
    own = {
        f"/etc/{NAME}": ("drwxr-x---", "root", NAME),
        f"/etc/{NAME}/config.yaml": ("-rw-r-----", "root", NAME),
        f"/var/lib/{NAME}": ("drwxr-x---", NAME, NAME),
    }
    for name, entry in own.items():
        assert files.pop(name) == entry
    assert {entry[1:] for entry in files.values()} == {("root", "root")}
    runnable = {name for name, entry in files.items() if re.match("-.*x", entry[0])}
    assert runnable == {f"/usr/bin/{NAME}"}
    assert said("rpm", "-qpc", rpm).split() == [f"/etc/{NAME}/config.yaml"]


def test_the_rpm_says_what_it_requires(rpm: Path) -> None:
    lines = said("rpm", "-qp", "--requires", rpm).splitlines()
    for one in ("python3 >= 3.11", "(python3-pyyaml or python3-PyYAML)", "python3-systemd"):
        assert one in lines
    for library in ("requests", "rich", "watchdog"):
        assert f"python3-{library}" in lines
    assert said("rpm", "-qp", "--qf", "%{VERSION} %{ARCH}", rpm) == "1.2.3 noarch"


def test_the_rpms_scriptlets_are_shell_and_make_the_account_first(
    rpm: Path, tmp_path: Path
) -> None:
    parts = re.split(
        r"^(\w+) scriptlet \(using /bin/sh\):\n", said("rpm", "-qp", "--scripts", rpm), flags=re.M
    )
    scripts = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(scripts) == {"preinstall", "postinstall", "preuninstall", "postuninstall"}
    for name, text in scripts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        said("sh", "-n", tmp_path / name)
    users = (ROOT / "packaging/sysusers.conf").read_text(encoding="utf-8").strip()
    assert users in scripts["preinstall"]
    assert "daemon-reload" in scripts["postinstall"]
    assert "disable --now" in scripts["preuninstall"]


# --- versions -------------------------------------------------------------------------------------


def version_of(root: Path, **environment: str) -> str:
    command = f'ROOT={root}; . "$ROOT/packaging/version.sh"; find_version; echo "$VERSION"'
    return said("sh", "-euc", command, **environment).strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the version is made of, as an unpacked archive."""
    root = tmp_path / "tree"
    (root / "packaging").mkdir(parents=True)
    (root / "usersessionmon").mkdir()
    (root / "config").mkdir()
    shutil.copy(ROOT / "packaging/version.sh", root / "packaging")
    (root / "usersessionmon/__init__.py").write_text('"""x"""\n\n__version__ = "0.9.0"\n')
    (root / "config/config.yaml.example").touch()
    (root / "CHANGELOG.md").write_text("## [Unreleased]\n")
    for file in root.rglob("*"):
        os.utime(file, (1_700_000_000, 1_700_000_000))
    return root


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return said("git", "-C", root, *who, *words).strip()


def test_without_git_the_newest_file_dates_the_version(tree: Path) -> None:
    assert version_of(tree) == "0.9.0~dev20231114221320"


def test_in_git_the_commit_does(tree: Path) -> None:
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "x", "--date", "2024-01-01T00:00:00Z")
    hash_ = git(tree, "rev-parse", "--short=7", "HEAD")
    assert re.fullmatch(rf"0\.9\.0~dev\d{{14}}\.{hash_}", version_of(tree))
    (tree / "usersessionmon/__init__.py").write_text('__version__ = "0.9.1"\n')
    assert re.fullmatch(r"0\.9\.1~dev\d{14}", version_of(tree))


def test_a_release_is_named_in_the_changelog(tree: Path) -> None:
    (tree / "CHANGELOG.md").write_text("## [0.9.0] - 2026-12-01\n")
    assert version_of(tree) == "0.9.0"
    assert version_of(tree, VERSION="7") == "7"


def test_versions_sort_as_they_follow_one_another() -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("needs dpkg")
    ordered = ["0.1.0~dev20261121", "0.1.0~dev20261121161949.686b73f", "0.1.0", "0.2.0~dev2026"]
    for older, newer in pairwise(ordered):
        said("dpkg", "--compare-versions", older, "lt", newer)


# --- the state's copy -----------------------------------------------------------------------------


def keep(command: str, state: Path) -> str:
    migrations = Path(db.__file__).with_name("migrations")
    return said(sys.executable, "-I", ROOT / "packaging/keep_state.py", command, state, migrations)


def state_of(folder: Path, version: int) -> None:
    with closing(open_state(folder)) as connection:
        connection.execute("CREATE TABLE mark (version)")
        connection.execute(f"INSERT INTO mark VALUES ({version})")
        connection.execute(f"PRAGMA user_version={version}")


def mark_of(folder: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        ((mark,),) = connection.execute("SELECT version FROM mark")
        return db.schema_version(connection), mark


def test_a_state_of_former_tables_is_kept_and_put_back(tmp_path: Path) -> None:
    state_of(tmp_path, 3)
    assert "schema 3" in keep("save", tmp_path)
    with closing(db.connect(tmp_path / "state.db")) as connection:  # its log is not written back
        connection.execute("UPDATE mark SET version=99")
        connection.execute("PRAGMA user_version=99")
        keep("restore", tmp_path)
    assert mark_of(tmp_path) == (3, 3)
    assert not (tmp_path / "state.db.former").exists()


def test_a_state_of_the_same_tables_is_not_copied(tmp_path: Path) -> None:
    state_of(tmp_path, db.migrations()[-1][0])
    (tmp_path / "state.db.former").write_text("of an upgrade long ago")
    assert keep("save", tmp_path) == ""
    assert not (tmp_path / "state.db.former").exists()
    assert keep("restore", tmp_path) == ""


def test_without_room_nothing_is_begun(tmp_path: Path) -> None:
    state_of(tmp_path, 3)
    module = runpy.run_path(str(ROOT / "packaging/keep_state.py"))
    module["save"].__globals__["SPARE"] = 1 << 60
    with pytest.raises(SystemExit, match="no room for a copy"):
        module["save"](tmp_path / "state.db", tmp_path / "state.db.former", 9)
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]


def test_where_there_is_no_state_nothing_is_made(tmp_path: Path) -> None:
    for command in ("save", "restore", "drop"):
        assert keep(command, tmp_path) == ""
    assert list(tmp_path.iterdir()) == []


def test_the_copy_goes_when_the_new_version_runs(tmp_path: Path) -> None:
    state_of(tmp_path, 3)
    keep("save", tmp_path)
    assert (tmp_path / "state.db.former").stat().st_mode & 0o777 == 0o640
    keep("drop", tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["state.db"]
