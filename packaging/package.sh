#!/bin/sh
# Builds dist/*.deb or dist/*.rpm from this tree: `package.sh deb|rpm`, by `make deb` and `make rpm`.
# The program is pure Python and is run by the distribution's python3 with its packaged libraries.
# VERSION=… takes another version, DIST=… another folder; the same tree gives the same package.
set -eu

ROOT=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
NAME=user-session-monitor
. "$ROOT/packaging/common.sh"
. "$ROOT/packaging/version.sh"

PYTHON=$ROOT/.venv/bin/python
DIST=${DIST:-$ROOT/dist}
STAGE=$(mktemp -d)
trap 'rm -rf "$STAGE"' EXIT
trap 'exit 1' HUP INT TERM
TREE=$STAGE/tree

# $1: mode; $2: the file here; $3: its place there.
put() { install -D -m "$1" "$ROOT/packaging/$2" "$TREE/$3"; }

# Everything that both packages hold, below /usr.
stage() {
    mkdir -p "$TREE/usr/lib/$NAME" "$TREE/usr/bin"
    (cd "$ROOT" && find usersessionmon -type f -not -path '*/__pycache__/*') |
        while IFS= read -r _file; do
            install -D -m 0644 "$ROOT/$_file" "$TREE/usr/lib/$NAME/$_file"
        done
    put 0644 keep_state.py "usr/lib/$NAME/keep_state.py"
    put 0755 launcher.py "usr/bin/$NAME"
    put 0644 sysusers.conf "usr/lib/sysusers.d/$NAME.conf"
    put 0644 tmpfiles.conf "usr/lib/tmpfiles.d/$NAME.conf"
    mkdir -p "$TREE/usr/lib/systemd/system"
    unit_text /usr "systemd-journal adm" >"$TREE/usr/lib/systemd/system/$NAME.service"
    furnish "$TREE/usr" "$PYTHON" || die "the man pages and completions could not be written"
    gzip -9 -n "$TREE"/usr/share/man/man?/*
    _doc=$TREE/usr/share/doc/$NAME
    mkdir -p "$_doc"
    install -m 0644 "$ROOT/README.md" "$ROOT/README.zh-CN.md" "$ROOT/CHANGELOG.md" "$_doc/"
}

settle() { find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +; }

# --- .deb -------------------------------------------------------------------------------------

build_deb() {
    command -v dpkg-deb >/dev/null 2>&1 || die "dpkg-deb is needed (Debian and Ubuntu have it; elsewhere the package dpkg)"
    ZSH_FOLDER=share/zsh/vendor-completions
    . "$ROOT/packaging/furnish.sh"
    stage
    {
        printf '%s\n' "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/" \
            "" "Files: *" "Copyright: $(sed -n 's/^Copyright (c) //p' "$ROOT/LICENSE")" "License: Expat"
        sed -e '1,/^Copyright/d' -e '/./,$!d' "$ROOT/LICENSE" | sed -e 's/^$/./' -e 's/^/ /'
    } >"$_doc/copyright"
    printf '%s\n' "$NAME ($VERSION) unstable; urgency=medium" "" "  * See CHANGELOG.md." "" \
        " -- $(sed -n 's/^Maintainer: //p' "$ROOT/packaging/debian/control")  $(date -u -R -d "@$SOURCE_DATE_EPOCH")" |
        gzip -9 -n >"$_doc/changelog.gz"
    put 0755 debian/rtupdate "usr/share/python3/runtime.d/$NAME.rtupdate"
    _control=$TREE/DEBIAN
    mkdir "$_control"
    install -m 0755 "$ROOT/packaging/debian/preinst" "$ROOT/packaging/debian/postinst" \
        "$ROOT/packaging/debian/prerm" "$ROOT/packaging/debian/postrm" "$_control/"
    (cd "$TREE" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$_control/md5sums"
    sed -e "s|@VERSION@|$VERSION|" -e "s|@SIZE@|$(du -k -s --apparent-size "$TREE/usr" | cut -f 1)|" \
        "$ROOT/packaging/debian/control" >"$_control/control"
    settle "$TREE"
    _package=$DIST/${NAME}_${VERSION}_all.deb
    quietly dpkg-deb --root-owner-group -Zxz --build "$TREE" "$STAGE/package" ||
        die "dpkg-deb could not build the package (its last lines are above)"
    mv "$STAGE/package" "$_package"
    say "$_package; to install it: sudo apt-get install $_package"
}

# --- .rpm -------------------------------------------------------------------------------------

build_rpm() {
    TOOL=$(package_tool)
    case $TOOL in apt-get) _needs=rpm ;; *) _needs=rpm-build ;; esac
    command -v rpmbuild >/dev/null 2>&1 || add_packages "what builds the package (rpmbuild)" $_needs
    . "$ROOT/packaging/furnish.sh"
    stage
    mkdir -p "$TREE/etc/$NAME"
    install -m 0640 "$ROOT/config/config.yaml.example" "$TREE/etc/$NAME/config.yaml"
    install -D -m 0644 "$ROOT/LICENSE" "$TREE/usr/share/licenses/$NAME/LICENSE"
    settle "$TREE"
    quietly rpmbuild -bb --target noarch "$ROOT/packaging/$NAME.spec" \
        --define "_topdir $STAGE/rpm" --define "_rpmdir $STAGE/out" --define "_dbpath $STAGE/db" \
        --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
        --define "_buildhost localhost" --define "use_source_date_epoch_as_buildtime 1" \
        --define "clamp_mtime_to_source_date_epoch 1" --define "_binary_payload w9.xzdio" \
        --define "tree $TREE" --define "its_version $VERSION" \
        --define "sysusers $ROOT/packaging/sysusers.conf" ||
        die "rpmbuild could not build the package (its last lines are above)"
    _package=$DIST/$NAME-$VERSION-1.noarch.rpm
    mv "$STAGE/out/$NAME-$VERSION-1.noarch.rpm" "$_package"
    say "$_package; to install it: sudo dnf install $_package (or zypper)"
}

find_version
mkdir -p "$DIST"
case ${1:-} in
deb) build_deb ;;
rpm) build_rpm ;;
*)
    echo "usage: $0 deb|rpm" >&2
    exit 2
    ;;
esac
