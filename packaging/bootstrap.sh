#!/bin/sh
# Makes .venv in this folder able to run the program (`bootstrap.sh run`) or its tests as well
# (`bootstrap.sh dev`).  Safe to interrupt and to run again; the second time it only looks.
# PYTHON=/path/to/python3 chooses the Python; PYPI=1 takes every library from PyPI.
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
VENV=$ROOT/.venv
ASKED=${PYTHON:-} # choose_python sets PYTHON
LEVEL=${1:-run}
case $LEVEL in run | dev) ;; *)
    echo "usage: $0 run|dev" >&2
    exit 2
    ;;
esac

# What a finished set-up looks like.  Any difference: the steps below run again.
fingerprint() {
    _have=$("$VENV/bin/python" -I -c '
import sys
from importlib.util import find_spec
names = ["usersessionmon", "yaml", "requests", "rich", "watchdog", "systemd", "apprise", "evtx", "pytest"]
print(*sys.version_info[:3], sys.prefix, *filter(find_spec, names))' 2>/dev/null) || return 1
    printf '%s\n' "$_have" "$VENV" "$ASKED" "${PYPI:-}"
    cat "$ROOT/pyproject.toml" "$ROOT/packaging/common.sh" "$ROOT/packaging/bootstrap.sh" | cksum
}

is_done() {
    [ -x "$VENV/bin/user-session-monitor" ] || return 1
    _now=$(fingerprint) || return 1
    for _level in "$LEVEL" dev; do
        [ -f "$VENV/done-$_level" ] && [ "$_now" = "$(cat "$VENV/done-$_level")" ] && return 0
    done
    return 1
}

if is_done; then exit 0; fi

. "$ROOT/packaging/common.sh"

# A whole environment of the right Python, made at this very place?
venv_is_sound() {
    [ -x "$VENV/bin/python" ] && [ -f "$VENV/pyvenv.cfg" ] || return 1
    grep -qF "$VENV" "$VENV/bin/activate" 2>/dev/null || return 1
    [ "$(version_of "$VENV/bin/python" 2>/dev/null)" = "$(version_of "$PYTHON")" ] || return 1
    _shared=$(sed -n 's/^include-system-site-packages *= *//p' "$VENV/pyvenv.cfg")
    case $MODE:$_shared in own:true | pypi:false) ;; *) return 1 ;; esac
    # "-I" hides nothing of a virtual environment; a half-made one has no pip of its own
    "$VENV/bin/python" -I -m pip --version 2>/dev/null | grep -qF "$VENV"
}

choose_python
prepare_python
rm -f "$VENV/done-run" "$VENV/done-dev"
if ! venv_is_sound; then
    if [ -e "$VENV" ]; then say "making .venv again (it is unfinished, moved or of another Python)"; else
        say "making .venv with $PYTHON ($(version_of "$PYTHON"))"
    fi
    make_venv "$VENV"
fi
say "installing the program into .venv"
if [ "$LEVEL" = dev ]; then
    put_project "$VENV/bin/python" "$ROOT" --editable dev
else
    put_project "$VENV/bin/python" "$ROOT" --editable
fi
fingerprint >"$VENV/done-$LEVEL.new"
mv "$VENV/done-$LEVEL.new" "$VENV/done-$LEVEL"
