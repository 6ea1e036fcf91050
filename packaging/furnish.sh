# shellcheck shell=sh
# What is put beside the program, by make install and by the packages alike: man pages,
# completions, the example.  Wants ROOT, NAME, VERSION and SOURCE_DATE_EPOCH (find_version).

ZSH_FOLDER=${ZSH_FOLDER:-share/zsh/site-functions} # Debian's packages have another

# The files that furnish makes below a prefix.
furniture() {
    printf '%s\n' \
        "share/man/man8/$NAME.8" \
        "share/man/man5/$NAME.yaml.5" \
        "share/bash-completion/completions/$NAME" \
        "$ZSH_FOLDER/_$NAME" \
        "share/fish/vendor_completions.d/$NAME.fish" \
        "share/$NAME/config.yaml.example"
}

# $1: the file; then the command that writes it.
_put() {
    _file=$1
    shift
    mkdir -p "$(dirname "$_file")"
    "$@" >"$_file.new" || return 1
    chmod 0644 "$_file.new"
    mv "$_file.new" "$_file"
}

_written() {
    _script=$1
    shift
    "$_writer" -B "$ROOT/packaging/$_script" "$@"
}

# $1: the folder that becomes the prefix; $2: a Python that can run the program.
furnish() {
    _share=$1
    _writer=$2
    _date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%d)
    furniture | while IFS= read -r _name; do
        case $_name in
        *.yaml.5) set -- manpages.py 5 "$VERSION" "$_date" ;;
        *.8) set -- manpages.py 8 "$VERSION" "$_date" ;;
        */bash-completion/*) set -- completion.py bash ;;
        */zsh/*) set -- completion.py zsh ;;
        */fish/*) set -- completion.py fish ;;
        *)
            _put "$_share/$_name" cat "$ROOT/config/config.yaml.example"
            continue
            ;;
        esac
        _put "$_share/$_name" _written "$@" || exit 1
    done
}

# The unit for a program in $1/bin; $2: the groups that may read logs.
unit_text() {
    sed -e "s|/usr/local/bin/|$1/bin/|" -e "s|^SupplementaryGroups=.*|SupplementaryGroups=$2|" \
        "$ROOT/packaging/$NAME.service"
}
