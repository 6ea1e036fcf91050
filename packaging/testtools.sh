#!/bin/sh
# What some tests need beside Python, as root on Debian and Ubuntu: tools that start no service of
# this host.  Without them those tests are skipped and say why; with USM_REQUIRE_SYSTEM=1 (CI)
# daemons that tests start by themselves, shells and packaging tools are installed too, and the
# container suite must run.
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/packaging/common.sh"

TOOL=$(package_tool)
if [ "$TOOL" != apt-get ]; then
    say "the container suite needs debootstrap, systemd-nspawn and sshpass: tests without their tools are skipped"
    exit 0
fi

_packages=
want() { # command, package
    command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "$1" ] || _packages="$_packages $2"
}
want debootstrap debootstrap
want systemd-nspawn systemd-container
want nsenter util-linux
want pgrep procps
want ssh openssh-client
want sshpass sshpass
want logrotate logrotate
want /lib/systemd/systemd-journal-remote systemd-journal-remote
if [ "${USM_REQUIRE_SYSTEM:-}" = 1 ]; then
    want sshd openssh-server
    want rsyslogd rsyslog
    want rpmbuild rpm
    want mandoc mandoc
    want zsh zsh
    want fish fish
fi
[ -n "$_packages" ] || exit 0
if ! is_root; then
    say "not root: the container suite is skipped, and tests that need one of:$_packages"
    exit 0
fi
# shellcheck disable=SC2086 # a list of packages
if ! (add_packages "tools of the tests" $_packages); then
    [ "${USM_REQUIRE_SYSTEM:-}" != 1 ] || exit 1
    say "going on: the tests that need them are skipped"
fi
