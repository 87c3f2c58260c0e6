# shellcheck shell=bash
# Running other programs: what they said last where they fail, and a Python and a pip that take
# nothing from the folder this is called in, nor orders from the environment.
# Sourced by the scripts here and by tests/run.sh, whose die it uses.

# With a CDPATH, `cd spin/..` may lead into another checkout.
unset CDPATH

# last_words: the end of what a tool said (standard input), without notes of its progress, what acts
# on a terminal, and what makes a line endless.
last_words() {
    LC_ALL=C sed -e '/^I: /d' -e 's/\xc2[\x80-\x9f]//g' -e 's/[\x00-\x08\x0b-\x1f\x7f]//g' |
        cut -c1-300 | tail -n 20 | sed 's/^/    /'
}

# failed WHAT <WORDS: end, with its last words.
failed() {
    local words
    words=$(last_words)
    [ -n "$words" ] || die "$1 failed without a word"
    die "$1 failed. Its last words:"$'\n'"$words"
}

# attempt WHAT COMMAND...: run it without showing what it says, unless it fails.
attempt() {
    local what=$1 words
    shift
    words=$("$@" 2>&1) || failed "$what" <<<"$words"
}

# own_python: from here on the environment tells pip where packages come from, Python how to write
# text, and neither of them what to run or where to put it.
own_python() {
    local name
    for name in "${!PYTHON@}" "${!PIP_@}"; do
        case $name in
            PYTHONIOENCODING | PYTHONUTF8) ;;
            PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_TRUSTED_HOST | \
                PIP_CERT | PIP_CLIENT_CERT | PIP_PROXY | PIP_DEFAULT_TIMEOUT | PIP_RETRIES | \
                PIP_CACHE_DIR | PIP_NO_CACHE_DIR) ;;
            *) unset "$name" ;;
        esac
    done
}

# isolated PYTHON WORDS...: where a relative name among its settings leads to nothing, too.
isolated() { (cd / && "$1" -I "${@:2}"); }

# is_ours FOLDER: it and all in it belongs to whoever runs this, and not everybody may write to it.
is_ours() {
    [ -d "$1" ] && [ ! -L "$1" ] &&
        [ -z "$(find "$1" \( ! -user "$(id -u)" -o -perm -002 ! -type l \) -print -quit)" ]
}
