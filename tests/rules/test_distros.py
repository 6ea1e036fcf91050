"""Which distribution a host is, and what that says of its logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from usersessionmon.config import MonitorSettings, Settings, SourceKind
from usersessionmon.errors import UserError
from usersessionmon.host.facts import os_release
from usersessionmon.rules.matcher import load_rules
from usersessionmon.rules.pack import (
    Keeps,
    builtin_distros,
    builtin_packs,
    pick_distro,
    resolve_distro,
)
from usersessionmon.wiring.log import choose_source

SPECS = builtin_distros()
AUTH, SECURE, MESSAGES = "/var/log/auth.log", "/var/log/secure", "/var/log/messages"

# os-release's ID, ID_LIKE and VERSION_ID as the distributions write them; which distro that is
KNOWN = [
    ('ID=debian\nVERSION_ID="12"', "debian"),
    ("ID=debian", "debian"),  # testing and sid have no version
    ('ID=raspbian\nID_LIKE=debian\nVERSION_ID="12"', "debian"),
    ("ID=kali\nID_LIKE=debian\nVERSION_ID=2026.3", "debian"),
    ("ID=devuan\nID_LIKE=debian", "debian"),
    ("ID=linuxmint\nID_LIKE=debian\nVERSION_ID=6", "debian"),  # LMDE
    ("ID=deepin\nVERSION_ID=23", "debian"),
    ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', "ubuntu"),
    ('ID=linuxmint\nID_LIKE="ubuntu debian"\nVERSION_ID="22"', "ubuntu"),
    ('ID=pop\nID_LIKE="ubuntu debian"\nVERSION_ID="22.04"', "ubuntu"),
    ('ID=neon\nID_LIKE="ubuntu debian"', "ubuntu"),
    ('ID=tuxedo\nID_LIKE="ubuntu debian"', "ubuntu"),
    ('ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="9.4"', "rhel"),
    ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"', "rhel"),
    ('ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\nNAME="CentOS Stream"', "rhel"),
    ('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"', "rhel"),
    ('ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="10.0"', "rhel"),
    ('ID="ol"\nID_LIKE="fedora"\nVERSION_ID="8.10"', "rhel"),
    ('ID="scientific"\nID_LIKE="rhel centos fedora"\nVERSION_ID="7.9"', "rhel"),
    ('ID="openEuler"\nVERSION_ID="22.03"', "rhel"),
    ('ID="anolis"\nID_LIKE="rhel fedora centos"\nVERSION_ID="8.8"', "rhel"),
    ('ID="alinux"\nID_LIKE="rhel fedora centos anolis"\nVERSION_ID="3"', "rhel"),
    ('ID="tencentos"\nID_LIKE="rhel fedora centos tlinux"\nVERSION_ID="3.1"', "rhel"),
    ('ID="opencloudos"\nID_LIKE="rhel fedora"', "rhel"),
    ('ID="kylin"\nVERSION_ID="V10"', "kylin"),
    ("ID=kylin\nID_LIKE=debian\nVERSION_ID=v10", "kylin"),
    ("ID=uos\nVERSION_ID=20", "uos"),
    ("ID=fedora\nVERSION_ID=43", "fedora"),
    ("ID=bazzite\nID_LIKE=fedora\nVERSION_ID=43", "fedora"),
    ('ID="amzn"\nID_LIKE="centos rhel fedora"\nVERSION_ID="2"', "amazon-2"),
    ('ID="amzn"\nID_LIKE="rhel fedora"\nVERSION_ID="2018.03"', "amazon-2"),
    ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', "amazon-2023"),
    ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2029"', "amazon"),
    ('ID="sles"\nVERSION_ID="12.5"', "suse"),
    ('ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"', "suse"),
    ('ID="sles"\nID_LIKE="suse"\nVERSION_ID="16.0"', "tumbleweed"),
    ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"', "suse"),
    ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="16.0"', "tumbleweed"),
    ('ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20261120"', "tumbleweed"),
    ('ID="opensuse-microos"\nID_LIKE="suse opensuse opensuse-tumbleweed"', "tumbleweed"),
    ("ID=arch\nBUILD_ID=rolling", "arch"),
    ("ID=manjaro\nID_LIKE=arch", "arch"),
    ("ID=endeavouros\nID_LIKE=arch", "arch"),
    ("ID=steamos\nID_LIKE=arch\nVERSION_ID=3.7", "arch"),
    ("ID=alpine\nVERSION_ID=3.22.1", "alpine"),
    ('ID="openwrt"\nID_LIKE="lede openwrt"\nVERSION_ID="24.10.0"', "openwrt"),
    ("ID=nixos", "generic"),
    ("ID=gentoo", "generic"),
    ("", "generic"),
]


@pytest.mark.parametrize(("text", "name"), KNOWN)
def test_a_distribution_is_known_by_its_os_release(tmp_path: Path, text: str, name: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(text, encoding="utf-8")
    assert pick_distro(os_release(path).names, SPECS) == name


@pytest.mark.parametrize(
    ("name", "keeps", "first"),
    [
        ("debian", Keeps.BOTH, AUTH),
        ("ubuntu", Keeps.BOTH, AUTH),
        ("rhel", Keeps.BOTH, SECURE),
        ("fedora", Keeps.JOURNAL, SECURE),
        ("amazon-2", Keeps.BOTH, SECURE),
        ("amazon-2023", Keeps.JOURNAL, SECURE),
        ("suse", Keeps.BOTH, MESSAGES),
        ("tumbleweed", Keeps.JOURNAL, MESSAGES),
        ("arch", Keeps.JOURNAL, AUTH),
        ("alpine", Keeps.FILES, MESSAGES),
        ("openwrt", Keeps.FILES, MESSAGES),
        ("kylin", Keeps.BOTH, SECURE),
        ("generic", Keeps.BOTH, AUTH),
    ],
)
def test_where_a_distribution_keeps_its_log(name: str, keeps: Keeps, first: str) -> None:
    distro = resolve_distro(name, SPECS)
    assert (distro.keeps, distro.log_files[0]) == (keeps, first)


@pytest.mark.parametrize("name", SPECS)
def test_every_distro_file_holds_together(name: str) -> None:
    distro = resolve_distro(name, SPECS)
    assert distro.about
    assert distro.packs and set(distro.packs) <= set(builtin_packs())
    assert distro.log_files
    assert all(file.startswith("/var/log/") for file in distro.log_files)
    assert all(quirk == quirk.strip() and quirk for quirk in distro.quirks)
    assert load_rules(name).distro == distro


def test_no_name_is_of_two_distributions() -> None:
    ids = [one for spec in SPECS.values() for one in spec.ids]
    assert len(ids) == len(set(ids))


def test_where_only_a_journal_is_kept_a_missing_file_is_explained() -> None:
    def problems(distro: str, log_file: str = "") -> str:
        settings = Settings(MonitorSettings(SourceKind.FILE, log_file, distro))
        return " ".join(choose_source(settings, load_rules(distro)).problems)

    for name in ("fedora", "arch", "amazon-2023", "tumbleweed"):
        told = problems(name)
        if told:  # a log may be here all the same
            assert f"{name} keeps the journal alone (monitor.source: journal)" in told
    assert "keeps the journal" not in problems("debian")
    assert "keeps the journal" not in problems("fedora", log_file="/nonexistent/log")


def test_the_setting_overrides_what_the_host_is() -> None:
    assert load_rules("", ("amzn-2023", "amzn", "fedora")).distro.name == "amazon-2023"
    assert load_rules("amazon-2", ("debian",)).distro.log_files == (SECURE,)
    with pytest.raises(
        UserError, match=r"unknown distro 'debain' \(did you mean debian\?\); known: a"
    ):
        load_rules("debain", ("debian",))
