#!/bin/sh
# Installs the program on this host and takes it off again; `make install` and its sisters call it.
#
#   install          $PREFIX/lib/user-session-monitor/venv (its own virtual environment, a copy),
#                    $PREFIX/bin/user-session-monitor, the system user, the configuration
#   install-service  the systemd unit: added, enabled, started (started again on an upgrade)
#   uninstall        the reverse; configuration and state stay unless PURGE=1
#
# With DESTDIR (a package being built) only files are put there: no user, no service.
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/packaging/common.sh"

NAME=user-session-monitor
PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}
case $PREFIX in /*) ;; *) die "PREFIX must be an absolute path, not $PREFIX" ;; esac
case $DESTDIR in '' | /*) ;; *) die "DESTDIR must be an absolute path, not $DESTDIR" ;; esac
LIB=$PREFIX/lib/$NAME
CONFIG=/etc/$NAME
STATE=/var/lib/$NAME
UNIT=/etc/systemd/system/$NAME.service

needs_root() {
    is_root || [ -n "$DESTDIR" ] || die "make $1 needs root; run: sudo make $1"
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# --- install ----------------------------------------------------------------------------------

# The new program is built beside the old one and swapped in by one rename, so that there is a
# whole one at every moment.  The one before stays until the next time: it may still be running.
install_program() {
    _new=$LIB/venv-$(date +%Y%m%d%H%M%S)-$$
    _before=$(readlink "$DESTDIR$LIB/venv" 2>/dev/null || :)
    mkdir -p "$DESTDIR$LIB" "$DESTDIR$PREFIX/bin"
    _source=$(mktemp -d)
    trap 'rm -rf "$_source" "$DESTDIR$_new"' EXIT
    trap 'exit 1' HUP INT TERM
    # From a copy, so that nothing is left in the checkout and nothing stale is taken from it
    for _item in pyproject.toml README.md LICENSE usersessionmon; do
        if [ -e "$ROOT/$_item" ]; then cp -R "$ROOT/$_item" "$_source/"; fi
    done
    say "installing the program to $DESTDIR$LIB"
    make_venv "$DESTDIR$_new"
    put_project "$DESTDIR$_new/bin/python" "$_source"
    [ -z "$DESTDIR" ] || forget_destdir "$DESTDIR$_new"
    "$DESTDIR$_new/bin/python" -I -m usersessionmon --version >/dev/null ||
        die "the program that was built does not start; the one before stays"
    rm -rf "$_source"
    ln -sfn "$(basename "$_new")" "$DESTDIR$LIB/venv.new"
    mv -fT "$DESTDIR$LIB/venv.new" "$DESTDIR$LIB/venv"
    trap - EXIT HUP INT TERM
    ln -sfn "$LIB/venv/bin/$NAME" "$DESTDIR$PREFIX/bin/$NAME"
    for _old in "$DESTDIR$LIB"/venv-*; do
        case ${_old##*/} in "$(basename "$_new")" | "$_before") ;; *) rm -rf "$_old" ;; esac
    done
    if command -v restorecon >/dev/null 2>&1; then restorecon -R "$DESTDIR$LIB" "$DESTDIR$PREFIX/bin/$NAME" || :; fi
}

# Scripts of a virtual environment name its place: name the final one.
forget_destdir() {
    grep -rlIF "$DESTDIR$LIB" "$1/bin" "$1/pyvenv.cfg" | while IFS= read -r _file; do
        [ -L "$_file" ] || sed -i "s|$DESTDIR$LIB|$LIB|g" "$_file"
    done
}

install_user() {
    if command -v systemd-sysusers >/dev/null 2>&1; then
        mkdir -p /etc/sysusers.d
        install -m 0644 "$ROOT/packaging/sysusers.conf" "/etc/sysusers.d/$NAME.conf"
        quietly systemd-sysusers "/etc/sysusers.d/$NAME.conf" || die "systemd-sysusers could not make the user $NAME"
        return
    fi
    if ! id "$NAME" >/dev/null 2>&1; then
        say "making the system user $NAME"
        _shell=$(command -v nologin || echo /bin/false)
        useradd --system --user-group --home-dir "$STATE" --no-create-home --shell "$_shell" "$NAME"
    fi
    for _group in systemd-journal adm; do
        if getent group "$_group" >/dev/null; then usermod -aG "$_group" "$NAME"; fi
    done
}

# Secrets live here: root and the service's group alone may read it.  A file that is there is
# never touched.
install_config() {
    _group=root
    if getent group "$NAME" >/dev/null; then _group=$NAME; fi
    install -d -m 0750 "$DESTDIR$CONFIG"
    if is_root; then chgrp "$_group" "$DESTDIR$CONFIG"; fi
    if [ -e "$DESTDIR$CONFIG/config.yaml" ] || [ -L "$DESTDIR$CONFIG/config.yaml" ]; then
        say "keeping $DESTDIR$CONFIG/config.yaml"
    else
        install -m 0640 "$ROOT/config/config.yaml.example" "$DESTDIR$CONFIG/config.yaml.new"
        if is_root; then chgrp "$_group" "$DESTDIR$CONFIG/config.yaml.new"; fi
        mv "$DESTDIR$CONFIG/config.yaml.new" "$DESTDIR$CONFIG/config.yaml"
        say "configuration: $DESTDIR$CONFIG/config.yaml (put feishu.webhook_url there)"
    fi
    install -m 0644 "$ROOT/config/config.yaml.example" "$DESTDIR$LIB/config.yaml.example"
}

do_install() {
    needs_root install
    choose_python
    case $(readlink -f "$PYTHON") in /root/* | /home/*)
        die "$PYTHON lies in a home directory, where the service cannot see it: choose another with PYTHON=…" ;;
    esac
    prepare_python
    install_program
    [ -n "$DESTDIR" ] || install_user
    install_config
    say "installed $("$DESTDIR$LIB/venv/bin/python" -I -m usersessionmon --version)"
    if [ -z "$DESTDIR" ] && has_systemd; then
        say "next: make install-service"
    fi
}

# --- the service ------------------------------------------------------------------------------

# The unit as this host needs it: the program's place, and only the groups that are here (systemd
# refuses to start a unit that names another).
unit_text() {
    _groups=
    for _group in systemd-journal adm; do
        if [ -n "$DESTDIR" ] || getent group "$_group" >/dev/null; then _groups="$_groups $_group"; fi
    done
    sed -e "s|/usr/local/bin/|$PREFIX/bin/|" -e "s|^SupplementaryGroups=.*|SupplementaryGroups=${_groups# }|" \
        "$ROOT/packaging/$NAME.service"
}

do_install_service() {
    needs_root install-service
    if [ -z "$DESTDIR" ]; then
        has_systemd || die "this host does not run systemd: let its own init start '$PREFIX/bin/$NAME run'"
        [ -x "$PREFIX/bin/$NAME" ] || die "$PREFIX/bin/$NAME is not there yet; run: make install install-service"
    fi
    mkdir -p "$DESTDIR$(dirname "$UNIT")"
    unit_text >"$DESTDIR$UNIT.new"
    chmod 0644 "$DESTDIR$UNIT.new"
    mv "$DESTDIR$UNIT.new" "$DESTDIR$UNIT"
    [ -z "$DESTDIR" ] || return 0
    systemctl daemon-reload
    quietly systemctl enable "$NAME.service" || die "systemctl could not enable $NAME.service"
    say "starting $NAME.service"
    _since=$(date '+%Y-%m-%d %H:%M:%S')
    if systemctl restart "$NAME.service" 2>/dev/null && systemctl is-active --quiet "$NAME.service"; then
        say "$NAME.service is active; its log: journalctl -u $NAME"
        return
    fi
    journalctl --unit "$NAME.service" --since "$_since" --no-pager --output cat --lines 20 >&2 || :
    die "$NAME.service did not start; what it logged is above; mend that, then run: systemctl restart $NAME"
}

# --- uninstall --------------------------------------------------------------------------------

do_uninstall() {
    needs_root uninstall
    if [ -z "$DESTDIR" ] && has_systemd && [ -e "$UNIT" ]; then
        say "stopping $NAME.service"
        quietly systemctl disable --now "$NAME.service" || :
    fi
    rm -f "$DESTDIR$UNIT" "$DESTDIR$PREFIX/bin/$NAME" "$DESTDIR/etc/sysusers.d/$NAME.conf"
    rm -rf "$DESTDIR$LIB"
    if [ -z "$DESTDIR" ] && has_systemd; then
        systemctl daemon-reload
        systemctl reset-failed "$NAME.service" 2>/dev/null || :
    fi
    say "removed the program from $DESTDIR$PREFIX"
    if [ "${PURGE:-}" = 1 ]; then
        rm -rf "$DESTDIR$CONFIG" "$DESTDIR$STATE"
        if [ -z "$DESTDIR" ] && id "$NAME" >/dev/null 2>&1; then userdel "$NAME" 2>/dev/null || :; fi
        say "removed configuration, state and the system user as well"
    else
        say "kept: $DESTDIR$CONFIG (configuration) and $DESTDIR$STATE (state); to remove these too: make uninstall PURGE=1"
    fi
}

case ${1:-} in
install) do_install ;;
install-service) do_install_service ;;
uninstall) do_uninstall ;;
*)
    echo "usage: $0 install|install-service|uninstall" >&2
    exit 2
    ;;
esac
