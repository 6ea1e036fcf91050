# shellcheck shell=sh
# What bootstrap.sh and install.sh share: talking, finding Python, and the distribution's packages.
#
# Two ways to get the libraries, decided by which Python is used:
#   own      the distribution's python3 is new enough: its packaged libraries are used through a
#            virtual environment of --system-site-packages; nothing is compiled, and on Debian and
#            Ubuntu nothing comes from PyPI but what they do not have (evtx), where it can be had
#   pypi     any other Python: everything comes from PyPI, and the journal's library is compiled
#            where a compiler and systemd's headers are there

umask 022
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
unset PYTHONHOME PYTHONPATH VIRTUAL_ENV

NEEDS_PYTHON="Python 3.11 or newer"
LIBRARIES="yaml requests rich watchdog"

say() { printf '%s\n' "--> $*"; }

die() {
    printf '%s\n' "user-session-monitor: $*" >&2
    exit 1
}

is_root() { [ "$(id -u)" -eq 0 ]; }

# Run something that talks a lot; show its last lines only if it fails.
quietly() {
    _log=$(mktemp)
    if "$@" </dev/null >"$_log" 2>&1; then
        rm -f "$_log"
        return 0
    fi
    tail -n 15 "$_log" >&2
    rm -f "$_log"
    return 1
}

# --- the distribution's packages --------------------------------------------------------------

package_tool() {
    for _tool in apt-get dnf yum zypper; do
        if command -v "$_tool" >/dev/null 2>&1; then
            echo "$_tool"
            return
        fi
    done
}

install_command() {
    case $1 in
    apt-get) echo "apt-get install -y --no-install-recommends" ;;
    dnf | yum) echo "$1 install -y" ;;
    zypper) echo "zypper --non-interactive install --no-recommends" ;;
    esac
}

_lists_are_fresh=no
fresh_lists() {
    [ "$TOOL" = apt-get ] && [ "$_lists_are_fresh" = no ] || return 0
    is_root || return 0
    say "apt-get update"
    quietly apt-get update || say "apt-get update failed: going on with the lists that are here"
    _lists_are_fresh=yes
}

# Is there such a package to install?
offered() {
    case $TOOL in
    apt-get) apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]' ;;
    dnf | yum) "$TOOL" -q list --available "$1" >/dev/null 2>&1 ;;
    zypper) zypper --non-interactive search --match-exact "$1" >/dev/null 2>&1 ;;
    *) return 1 ;;
    esac
}

# Install packages, or say in one line how to.  $1: what for; the rest: packages.
add_packages() {
    _why=$1
    shift
    [ $# -gt 0 ] || return 0
    [ -n "$TOOL" ] || die "missing: $* ($_why); install them with this system's package manager, then run this again"
    if ! is_root; then
        _first=
        if [ "$TOOL" = apt-get ] && ! ls /var/lib/apt/lists/*_Packages* >/dev/null 2>&1; then
            _first="sudo apt-get update && "
        fi
        die "missing: $_why; run: ${_first}sudo $(install_command "$TOOL") $*"
    fi
    fresh_lists
    say "installing with $TOOL: $*"
    # shellcheck disable=SC2046 # the command is meant to be split into words
    quietly env DEBIAN_FRONTEND=noninteractive $(install_command "$TOOL") "$@" ||
        die "$TOOL could not install: $* (its last lines are above); mend that and run this again"
}

# --- Python -----------------------------------------------------------------------------------

is_new_enough() {
    "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# The path of the best Python that is here, or nothing.
find_python() {
    for _python in /usr/bin/python3 /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 \
        python3 python3.14 python3.13 python3.12 python3.11; do
        _path=$(command -v "$_python" 2>/dev/null) || continue
        if is_new_enough "$_path"; then
            echo "$_path"
            return
        fi
    done
}

# The packages that bring a Python that is new enough; with Debian's own, the libraries too.
python_packages() {
    case $TOOL in
    apt-get)
        _version=$(apt-cache policy python3 2>/dev/null | sed -n 's/ *Candidate: \(3\.[0-9]*\).*/\1/p')
        case $_version in
        '' | 3.1[1-9]* | 3.[2-9][0-9]*)
            echo python3
            for _module in ensurepip $LIBRARIES systemd setuptools wheel; do package_of "$_module"; done
            return
            ;;
        esac
        for _version in 3.13 3.12 3.11; do
            offered "python$_version" && echo "python$_version python$_version-venv" && return
        done
        ;;
    dnf | yum)
        for _version in 3.12 3.11; do
            offered "python$_version" && echo "python$_version python$_version-pip" && return
        done
        ;;
    zypper)
        for _version in 313 312 311; do
            offered "python$_version" && echo "python$_version python$_version-pip" && return
        done
        ;;
    esac
}

# Sets PYTHON to a Python that is new enough, installing one if it must, and MODE to own or pypi.
choose_python() {
    TOOL=$(package_tool)
    if [ -n "${PYTHON:-}" ]; then
        _given=$PYTHON
        PYTHON=$(command -v "$_given") || die "PYTHON=$_given: there is no such program"
        is_new_enough "$PYTHON" || die "PYTHON=$_given is not $NEEDS_PYTHON"
    else
        PYTHON=$(find_python)
        if [ -z "$PYTHON" ]; then
            fresh_lists
            _packages=$(python_packages | tr '\n' ' ')
            [ -n "$_packages" ] || die "$NEEDS_PYTHON is needed and this system offers none: install one, then run: make PYTHON=/path/to/python3 …"
            # shellcheck disable=SC2086 # a list of packages
            add_packages "$NEEDS_PYTHON" $_packages
            PYTHON=$(find_python)
            [ -n "$PYTHON" ] || die "$NEEDS_PYTHON is not there although the packages are: set PYTHON=/path/to/python3"
        fi
    fi
    MODE=pypi
    if [ "$PYTHON" = /usr/bin/python3 ] && [ "${PYPI:-}" = "" ]; then MODE=own; fi
}

version_of() { "$1" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'; }

# Which of the modules named can this Python not import?  (Looks, does not import them.)
missing_modules() {
    _python=$1
    shift
    "$_python" -I -c '
import importlib.util as util, sys
print(*[name for name in sys.argv[1:] if util.find_spec(name) is None])' "$@"
}

# setuptools before 70.1 needs wheel to build one.
needs_wheel() {
    "$1" -I -c '
import importlib.metadata as metadata, sys
try:
    version = metadata.version("setuptools").split(".")
    sys.exit(not (int(version[0]), int(version[1])) < (70, 1))
except metadata.PackageNotFoundError:
    sys.exit(0)'
}

package_of() {
    case $TOOL:$1 in
    apt-get:ensurepip) echo python3-venv ;;
    apt-get:apprise) echo apprise ;;
    dnf:ensurepip | yum:ensurepip | zypper:ensurepip) echo python3-pip ;;
    dnf:yaml | yum:yaml) echo python3-pyyaml ;;
    zypper:yaml) echo python3-PyYAML ;;
    *:*) echo "python3-$1" ;;
    esac
}

# Make this Python able to build the virtual environment: the system packages, by MODE.
prepare_python() {
    case $MODE in
    own) _wanted="ensurepip $LIBRARIES systemd setuptools" ;;
    pypi) _wanted="ensurepip" ;;
    esac
    [ "$MODE" = own ] && needs_wheel "$PYTHON" && _wanted="$_wanted wheel"
    # shellcheck disable=SC2086 # a list of modules
    _missing=$(missing_modules "$PYTHON" $_wanted)
    if [ "$MODE" = pypi ]; then
        [ -z "$_missing" ] || die "$PYTHON has no venv module (ensurepip): install it, or choose another with PYTHON=…"
        return
    fi
    _packages=
    _names=
    [ -n "$_missing" ] && fresh_lists
    for _module in $_missing; do
        _package=$(package_of "$_module")
        if [ "$TOOL" = apt-get ] || offered "$_package"; then
            _packages="$_packages $_package"
            _names="$_names${_names:+, }$_module"
        fi
    done
    # shellcheck disable=SC2086 # a list of packages
    [ -z "$_packages" ] || add_packages "Python libraries ($_names)" $_packages
}

# A compiler and systemd's headers, where the journal's library must be compiled.
prepare_compiler() {
    is_root || return 0
    case $TOOL in
    apt-get) set -- gcc pkg-config libsystemd-dev "python$1-dev" ;;
    dnf | yum) set -- gcc pkgconf-pkg-config systemd-devel "python$1-devel" ;;
    zypper) set -- gcc pkg-config systemd-devel "python$(echo "$1" | tr -d .)-devel" ;;
    *) return 0 ;;
    esac
    _packages=
    for _package in "$@"; do
        offered "$_package" && _packages="$_packages $_package"
    done
    # shellcheck disable=SC2086 # a list of packages
    (add_packages "what compiles the journal's library" $_packages) || true
}

# --- virtual environments ---------------------------------------------------------------------

# $1: where.  Makes it new.
make_venv() {
    _site=
    [ "$MODE" = own ] && _site=--system-site-packages
    rm -rf "$1"
    # shellcheck disable=SC2086 # nothing, or one option
    quietly "$PYTHON" -m venv $_site "$1" || die "$PYTHON could not make the virtual environment $1 (its last lines are above)"
}

# Install the project into a virtual environment.
# $1: its python; $2: what to install (a folder); $3: --editable or nothing; $4: extras or nothing.
put_project() {
    _venv_python=$1
    _what=$2
    _editable=${3:-}
    _extras=${4:-}
    _build=
    # shellcheck disable=SC2086 # a list of modules
    _missing=$(missing_modules "$_venv_python" $LIBRARIES setuptools)
    if [ "$MODE" = own ] && [ -z "$_missing" ]; then
        _build=--no-build-isolation
        # shellcheck disable=SC2086 # nothing, or one option
        quietly "$_venv_python" -m pip install --quiet --no-index --no-deps $_build $_editable "$_what" ||
            die "pip could not install the program (its last lines are above)"
    else
        say "fetching libraries from PyPI"
        # shellcheck disable=SC2086 # nothing, or one option
        quietly "$_venv_python" -m pip install --quiet $_editable "$_what" ||
            die "pip could not install the program (its last lines are above); it needs PyPI here"
    fi
    put_journal "$_venv_python"
    put_apprise "$_venv_python"
    put_evtx "$_venv_python"
    [ -z "$_extras" ] || put_extras "$_venv_python" "$_what" "$_editable" "$_extras" "$_build"
}

# systemd-python, where the distribution's is not visible and systemd is.
put_journal() {
    [ -n "$(missing_modules "$1" systemd)" ] || return 0
    if [ ! -d /run/systemd/system ] && ! command -v journalctl >/dev/null 2>&1; then
        say "no systemd here: without the journal's library (log files are followed)"
        return 0
    fi
    prepare_compiler "$("$1" -I -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    say "compiling the journal's library (systemd-python)"
    "$1" -m pip install --quiet 'systemd-python>=234' </dev/null >/dev/null 2>&1 ||
        say "it did not compile (a C compiler, pkg-config and systemd's headers are needed): going on without, log files are followed"
}

# The Apprise library, which only channels of type apprise need: the program runs without it.
put_apprise() {
    [ -n "$(missing_modules "$1" apprise)" ] || return 0
    if [ "$MODE" = pypi ]; then
        "$1" -m pip install --quiet 'apprise>=1.2' </dev/null >/dev/null 2>&1 || :
    elif is_root; then
        fresh_lists
        _package=$(package_of apprise)
        if offered "$_package"; then (add_packages "channels of type apprise" "$_package") || :; fi
    fi
    [ -z "$(missing_modules "$1" apprise)" ] ||
        say "going on without the Apprise library (for channels of type apprise): this system has no package, or you are not root; $1 -m pip install apprise brings it"
}

# The library for files of Windows event logs, which only `scan FILE.evtx` needs.  No distribution
# has it; it is taken ready-made or not at all, and a host without a way out is not held up.
put_evtx() {
    [ -n "$(missing_modules "$1" evtx)" ] || return 0
    "$1" -m pip install --quiet --no-deps --only-binary :all: --retries 0 --timeout 10 \
        'evtx>=0.14' </dev/null >/dev/null 2>&1 ||
        say "going on without the library evtx (for scan FILE.evtx), which could not be fetched: $1 -m pip install 'evtx>=0.14' brings it"
}

put_extras() {
    say "fetching what the tests need from PyPI"
    _newer=
    # Type stubs bring urllib3 2, with which a requests before 2.30 only warns: then a newer one too.
    # (The suite on a booted host runs with the distribution's own.)
    if "$1" -I -c '
import importlib.metadata as metadata, sys
sys.exit(tuple(map(int, metadata.version("requests").split(".")[:2])) >= (2, 30))'; then
        _newer='requests>=2.32'
    fi
    # shellcheck disable=SC2086 # nothing, or one word each
    quietly "$1" -m pip install --quiet $5 $_newer $3 "$2[$4]" ||
        die "pip could not fetch what the tests need (its last lines are above); it needs PyPI"
}
