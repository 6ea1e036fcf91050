#!/bin/sh
# Installs the program on this host and takes it off again; `make install` and its sisters call it.
#
#   install          $PREFIX/lib/user-session-monitor/venv (its own virtual environment, a copy),
#                    $PREFIX/bin/user-session-monitor, man pages, completions, the system user, the
#                    configuration
#   install-service  the systemd unit: added, enabled, started.  A new version that does not come up
#                    is taken back: program, unit and state are then as they were, and running
#   uninstall        the reverse; configuration and state stay unless PURGE=1 or --purge
#
# With DESTDIR (a package being built) only files are put there: no user, no service.
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$ROOT/packaging/common.sh"
. "$ROOT/packaging/version.sh"
NAME=user-session-monitor
. "$ROOT/packaging/furnish.sh"

PREFIX=${PREFIX:-/usr/local}
DESTDIR=${DESTDIR:-}
case $PREFIX in /*) ;; *) die "PREFIX must be an absolute path, not $PREFIX" ;; esac
case $DESTDIR in '' | /*) ;; *) die "DESTDIR must be an absolute path, not $DESTDIR" ;; esac
LIB=$PREFIX/lib/$NAME
CONFIG=/etc/$NAME
STATE=/var/lib/$NAME
UNIT=/etc/systemd/system/$NAME.service
STAYS=3 # seconds that a new version must run before the former one is let go

needs_root() {
    is_root || [ -n "$DESTDIR" ] || die "make $1 needs root; run: sudo make $1"
}

# Two ways of install would be two programs on one state.
has_package() { [ -z "$DESTDIR" ] && [ "$PREFIX" != /usr ] && [ -e "/usr/lib/$NAME/usersessionmon" ]; }

refuse_package() {
    has_package || return 0
    case $(package_tool) in
    apt-get) _remove="apt-get remove" ;;
    *) _remove="$(package_tool) remove" ;;
    esac
    die "the package $NAME is installed here; take it off first: sudo $_remove $NAME (configuration and state stay and are used again)"
}

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null 2>&1; }

# --- install ----------------------------------------------------------------------------------

# The new program is built beside the old one and swapped in by one rename, so that there is a
# whole one at every moment.  The one before stays until the next time, as does the last one that is
# known to run as the service (venv.good): it may still be running, and is what is gone back to.
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
    _good=$(former)
    ln -sfn "$(basename "$_new")" "$DESTDIR$LIB/venv.new"
    mv -fT "$DESTDIR$LIB/venv.new" "$DESTDIR$LIB/venv"
    trap - EXIT HUP INT TERM
    ln -sfn "$LIB/venv/bin/$NAME" "$DESTDIR$PREFIX/bin/$NAME"
    for _old in "$DESTDIR$LIB"/venv-*; do
        case ${_old##*/} in "$(basename "$_new")" | "$_before" | "$_good") ;; *) rm -rf "$_old" ;; esac
    done
    if command -v restorecon >/dev/null 2>&1; then restorecon -R "$DESTDIR$LIB" "$DESTDIR$PREFIX/bin/$NAME" || :; fi
}

# The program that the service runs well, by the name of its folder; nothing where there is none.
former() {
    if [ ! -e "$DESTDIR$LIB/venv.good" ] && [ -z "$DESTDIR" ] && has_systemd &&
        systemctl is-active --quiet "$NAME.service"; then
        note_good "$(readlink "$LIB/venv" 2>/dev/null || :)"
    fi
    readlink "$DESTDIR$LIB/venv.good" 2>/dev/null || :
}

# $1: the folder's name.
note_good() {
    [ -n "$1" ] && [ -d "$LIB/$1" ] && [ -e "$UNIT" ] || return 0
    cp -p "$UNIT" "$LIB/unit.good"
    ln -sfn "$1" "$LIB/venv.good"
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
        mkdir -p /etc/tmpfiles.d
        install -m 0644 "$ROOT/packaging/tmpfiles.conf" "/etc/tmpfiles.d/$NAME.conf"
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
        say "configuration: $DESTDIR$CONFIG/config.yaml (setup fills it in)"
    fi
}

do_install() {
    needs_root install
    refuse_package
    find_version
    choose_python
    case $(readlink -f "$PYTHON") in /root/* | /home/*)
        die "$PYTHON lies in a home directory, where the service cannot see it: choose another with PYTHON=…" ;;
    esac
    prepare_python
    install_program
    install -m 0644 "$ROOT/packaging/keep_state.py" "$DESTDIR$LIB/keep_state.py"
    furnish "$DESTDIR$PREFIX" "$DESTDIR$LIB/venv/bin/python" || die "the man pages and completions could not be written"
    [ -n "$DESTDIR" ] || install_user
    install_config
    say "installed $("$DESTDIR$LIB/venv/bin/python" -I -m usersessionmon --version)"
    if [ -z "$DESTDIR" ] && has_systemd; then
        say "next: make install-service"
    fi
}

# --- the service ------------------------------------------------------------------------------

# Only the groups that are here: systemd refuses to start a unit that names another.
put_unit() {
    _groups=
    for _group in systemd-journal adm; do
        if [ -n "$DESTDIR" ] || getent group "$_group" >/dev/null; then _groups="$_groups $_group"; fi
    done
    mkdir -p "$DESTDIR$(dirname "$UNIT")"
    unit_text "$PREFIX" "${_groups# }" >"$DESTDIR$UNIT.new"
    chmod 0644 "$DESTDIR$UNIT.new"
    mv "$DESTDIR$UNIT.new" "$DESTDIR$UNIT"
}

main_pid() { systemctl show --property MainPID --value "$NAME.service"; }

# Does it start, and is it the same process a moment later?
comes_up() {
    systemctl daemon-reload
    systemctl reset-failed "$NAME.service" 2>/dev/null || :
    systemctl restart "$NAME.service" 2>/dev/null || return 1
    _pid=$(main_pid)
    sleep "$STAYS"
    systemctl is-active --quiet "$NAME.service" && [ "$(main_pid)" = "$_pid" ]
}

# As the service's user, because the state's folder is theirs.
keep_state() {
    setpriv --reuid="$NAME" --regid="$NAME" --clear-groups \
        "$LIB/venv/bin/python" -I "$LIB/keep_state.py" "$1" "$STATE" \
        "$LIB"/venv/lib/python3*/site-packages/usersessionmon/store/migrations
}

# Back to the program, the unit and the state that ran; $1: the program's folder; $2: why.
go_back() {
    say "going back to the former version"
    systemctl stop "$NAME.service" 2>/dev/null || :
    keep_state restore || say "the former state could not be put back: $STATE/state.db.former is its copy"
    cp -p "$LIB/unit.good" "$UNIT"
    ln -sfn "$1" "$LIB/venv.new"
    mv -fT "$LIB/venv.new" "$LIB/venv"
    if comes_up; then
        die "$2; the former one runs again, with its state as it was"
    fi
    die "$2, and the former version does not come up either (what they logged: journalctl -u $NAME); see: $PREFIX/bin/$NAME check"
}

do_install_service() {
    needs_root install-service
    refuse_package
    if [ -n "$DESTDIR" ]; then
        put_unit
        return
    fi
    has_systemd || die "this host does not run systemd: let its own init start '$PREFIX/bin/$NAME run'"
    [ -x "$PREFIX/bin/$NAME" ] || die "$PREFIX/bin/$NAME is not there yet; run: make install install-service"
    _now=$(readlink "$LIB/venv")
    _good=$(former)
    put_unit
    systemctl daemon-reload
    quietly systemctl enable "$NAME.service" || die "systemctl could not enable $NAME.service"
    if [ "$_good" = "$_now" ] || [ ! -d "$LIB/$_good" ]; then _good=; fi
    if [ -n "$_good" ]; then
        systemctl stop "$NAME.service" 2>/dev/null || :
        keep_state save || go_back "$_good" "the state could not be kept (the reason is above)"
    fi
    say "starting $NAME.service"
    _since=$(date '+%Y-%m-%d %H:%M:%S')
    if comes_up; then
        note_good "$_now"
        [ -z "$_good" ] || keep_state drop
        say "$NAME.service is active; its log: journalctl -u $NAME"
        say "next, if it is new here: $NAME setup"
        return
    fi
    journalctl --unit "$NAME.service" --since "$_since" --no-pager --output cat --lines 20 >&2 || :
    [ -z "$_good" ] || go_back "$_good" "the new version did not come up (what it logged is above)"
    die "$NAME.service did not start; what it logged is above; mend that, then run: systemctl restart $NAME"
}

# --- uninstall --------------------------------------------------------------------------------

do_uninstall() {
    needs_root uninstall
    if [ -z "$DESTDIR" ] && has_systemd && [ -e "$UNIT" ]; then
        say "stopping $NAME.service"
        quietly systemctl disable --now "$NAME.service" || :
    fi
    rm -f "$DESTDIR$UNIT" "$DESTDIR$PREFIX/bin/$NAME" \
        "$DESTDIR/etc/sysusers.d/$NAME.conf" "$DESTDIR/etc/tmpfiles.d/$NAME.conf"
    furniture | while IFS= read -r _file; do rm -f "$DESTDIR$PREFIX/$_file"; done
    rm -rf "$DESTDIR$LIB" "$DESTDIR$PREFIX/share/$NAME"
    if [ -z "$DESTDIR" ] && has_systemd; then
        systemctl daemon-reload
        systemctl reset-failed "$NAME.service" 2>/dev/null || :
    fi
    say "removed the program from $DESTDIR$PREFIX"
    if [ "${PURGE:-}" = 1 ] && has_package; then
        say "kept: $CONFIG and $STATE, which the package $NAME uses"
    elif [ "${PURGE:-}" = 1 ]; then
        rm -rf "$DESTDIR$CONFIG" "$DESTDIR$STATE" "$DESTDIR$UNIT.d"
        if [ -z "$DESTDIR" ] && id "$NAME" >/dev/null 2>&1; then userdel "$NAME" 2>/dev/null || :; fi
        say "removed configuration, state and the system user as well"
    else
        say "kept: $DESTDIR$CONFIG (configuration) and $DESTDIR$STATE (state); to remove these too: make uninstall ARGS=--purge"
    fi
}

case ${2:-} in
'') ;;
--purge) PURGE=1 ;;
*) die "unknown option: $2 (uninstall takes --purge)" ;;
esac
case ${1:-} in
install) do_install ;;
install-service) do_install_service ;;
uninstall) do_uninstall ;;
*)
    echo "usage: $0 install|install-service|uninstall [--purge]" >&2
    exit 2
    ;;
esac
