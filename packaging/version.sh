# shellcheck shell=sh
# Which version this tree is; for package.sh and install.sh.  VERSION=… overrides it.
#
#   0.1.0                            CHANGELOG.md has a heading for it: a release
#   0.1.0~dev20261121161949.686b73f  on the way there: the commit's time and hash, before 0.1.0
#   0.1.0~dev20261121161949          the same without git, or with changes that are not committed:
#                                    the newest file's time (an archive's files have the commit's)
#
# Sets VERSION and SOURCE_DATE_EPOCH (what is built twice from one tree is the same).

_git() { git -C "$ROOT" -c safe.directory="$ROOT" "$@" 2>/dev/null; }

_is_clean_checkout() {
    [ -e "$ROOT/.git" ] && command -v git >/dev/null 2>&1 || return 1
    _changes=$(_git status --porcelain --untracked-files=all) && [ -z "$_changes" ]
}

_newest_file() {
    find "$ROOT/usersessionmon" "$ROOT/packaging" "$ROOT/config/config.yaml.example" -type f \
        -not -path '*/__pycache__/*' -printf '%Ts\n' | sort -n | tail -n 1
}

find_version() {
    _commit=
    if _is_clean_checkout; then
        _commit=.$(_git rev-parse --short=7 HEAD)
        : "${SOURCE_DATE_EPOCH:=$(_git log -1 --format=%ct)}"
    fi
    : "${SOURCE_DATE_EPOCH:=$(_newest_file)}"
    export SOURCE_DATE_EPOCH
    [ -z "${VERSION:-}" ] || return 0
    VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$ROOT/usersessionmon/__init__.py")
    if ! grep -qF "## [$VERSION]" "$ROOT/CHANGELOG.md" 2>/dev/null; then
        VERSION=$VERSION~dev$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)$_commit
    fi
}
