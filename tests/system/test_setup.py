"""`setup` on a real host: from the sources to the first notice, at a terminal and unattended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.feishu_double import TOKEN, FeishuDouble

from .conftest import MakeHost
from .nspawn import Host, free_port, wait_until
from .test_end_to_end import LOGIN, PROGRAM, SERVICE, Site, prepare

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SECRET = "s3cret#: x"
CONFIG = "/etc/user-session-monitor/config.yaml"
FILES = "--webhook-file /root/webhook --secret-file /root/secret"


@pytest.fixture(scope="module")
def site(
    make_host: MakeHost, boot: Callable[[Host], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Installed, and neither configured nor started."""
    host = make_host("setup")
    port = free_port()
    key = tmp_path_factory.mktemp("key") / "id"
    prepare(host, port, key)
    boot(host)
    host.run("make --silent -C /root/src install", seconds=300)
    with FeishuDouble(secret=SECRET, keyword="通知", limits=False) as group:
        host.run("cat > /root/webhook", stdin=group.url)
        host.run("cat > /root/secret", stdin=SECRET)
        yield Site(host, group, port, key, "journal")
    host.close()


@pytest.fixture(autouse=True)
def gone(site: Site) -> Iterator[None]:
    """Nobody stays on behind a test that failed."""
    yield
    for visit in site.visits:
        if not visit.ended:
            visit.cut()
    site.visits.clear()


def test_without_a_unit_the_next_command_is_said(site: Site) -> None:
    said = site.host.run(f"{PROGRAM} setup --yes --no-webhook")
    assert "rules for debian" in said
    assert "logins are read from the journal: the journal can be read" in said
    assert "make install-service" in said
    assert "nobody on now" in said


def test_unattended_to_the_first_notice(site: Site) -> None:
    site.host.run("make --silent -C /root/src install-service")
    begun = len(site.group.texts())
    (site.host.root / "root/said").touch()
    with ThreadPoolExecutor(1) as pool:
        words = f"setup --yes {FILES} --wait 60 > /root/said 2>&1"
        done = pool.submit(site.host.run, f"{PROGRAM} {words}")
        talk = site.host.root / "root/said"
        wait_until("it waits", 60, lambda: done.done() or "log in now" in talk.read_text())
        visit = site.visit()
        done.result()
        said = talk.read_text()
    assert "delivered: it stands in the group" in said
    found = re.search(rf"alice from {visit.address}: told (\d+\.\d\d) s after", said)
    assert found and float(found[1]) < 5, said
    login = next(text for text in site.group.texts()[begun:] if text.startswith(LOGIN))
    assert visit.address in login
    run = site.host.run
    assert run(f"systemctl is-active {SERVICE}").strip() == "active"
    assert run(f"systemctl is-enabled {SERVICE}").strip() == "enabled"
    assert run(f"stat -c '%a %U %G' {CONFIG}").strip() == "640 root user-session-monitor"
    assert run(f"grep -c '^ *#' {CONFIG}") == run("grep -c '^ *#' /root/src/config/*.example")
    logged = run(f"journalctl -u {SERVICE} -o cat")
    assert not any(word in said + logged for word in (TOKEN, "s3cret"))
    visit.leave()


def test_who_is_on_and_what_was_understood_as_an_object(site: Site) -> None:
    visit = site.visit()
    found = json.loads(site.host.run(f"{PROGRAM} setup --yes --no-test --json 2>/dev/null"))
    visit.leave()
    assert found["on_now"] == ["alice"]
    assert found["not_understood"] == 0 and found["understood"] > 10
    assert found["service"] == "reloaded" and found["written"] is False


def test_a_service_that_does_not_start_is_told_with_its_log(site: Site) -> None:
    folder = f"/run/systemd/system/{SERVICE}.d"
    broken = "[Service]\nExecStart=\nExecStart=/bin/sh -c 'echo no luck; exit 3'\n"
    run = site.host.run
    run(f"mkdir -p {folder}; cat > {folder}/x.conf; systemctl daemon-reload", stdin=broken)
    run(f"systemctl stop {SERVICE}")
    said = run(f"{PROGRAM} setup --yes --no-test", status=1)
    assert "did NOT start" in said and "no luck" in said
    run(
        f"rm -r {folder}; systemctl daemon-reload; systemctl reset-failed; systemctl stop {SERVICE}"
    )


def test_an_ordinary_user_sees_what_works(site: Site) -> None:
    become = "setpriv --reuid=alice --regid=alice --init-groups"
    said = site.host.run(f"cd / && {become} {PROGRAM} setup --yes --no-webhook", status=1)
    assert said.index("This is not root") < said.index("1. This host")
    assert "NOT readable: " in said and "systemd-journal" in said
    assert "NOT written: " in said


def test_a_removed_configuration_comes_back_with_its_comments(site: Site) -> None:
    site.host.run(f"rm {CONFIG}")
    site.host.run(f"cd / && {PROGRAM} setup --yes {FILES} --no-service")
    assert site.host.run(f"stat -c '%a %U %G' {CONFIG}").strip() == "640 root user-session-monitor"
    assert int(site.host.run(f"grep -c '^ *#' {CONFIG}")) > 100


def test_a_login_before_the_wait_does_not_count(site: Site) -> None:
    before = site.visit()
    said = site.host.run(f"{PROGRAM} setup --yes --wait 1")
    before.leave()
    assert "nobody has logged in" in said
