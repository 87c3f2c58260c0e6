#!/usr/bin/env bash
# The newcomer's one command: install what is missing, build a small Debian guest, boot 4 of them.
#
#   spin/demo.sh [OPTIONS OF `vm-timing-report demo`]
#
# Can be run as often as you like: what is there already is neither installed nor built again.
# Nothing that lies in the folder it is called in is run, and no virtual environment of another user.
set -euo pipefail

die() { printf 'demo: %s\n' "$*" >&2; exit 1; }
say() { printf 'demo: %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "need root for: $* (run it as root, or install sudo)"
    fi
}

install_packages() {
    local missing=() package
    for package in qemu-system-x86 qemu-utils mmdebstrap e2fsprogs cpio kmod xz-utils zstd \
        python3-venv; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing ${missing[*]} (apt-get)"
    attempt "'apt-get update' (is there a network?)" as_root apt-get update -q
    attempt "'apt-get install ${missing[*]}'" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"
}

# Of a folder that others can put something into, nothing is run.
own_cache() {
    mkdir -p "$cache"
    [ -n "$(find -H "$cache" -maxdepth 0 -user "$(id -u)" ! -perm -002)" ] ||
        die "$cache belongs to $(stat -Lc %U "$cache") or can be written to by everybody, so nothing" \
            'in it is run; set XDG_CACHE_HOME to a folder of your own'
}

install_tool() {
    isolated python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$(isolated python3 --version) is too old: vmtiming-tui needs Python 3.11 or newer"
    # One made by a Python that has since gone is made anew, and so is one that is not ours.
    if ! is_ours "$venv" || ! isolated "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        say "making a virtual environment in $venv"
        rm -rf "$venv"
        attempt "'python3 -m venv'" isolated python3 -m venv "$venv"
    fi
    say "installing vmtiming-tui into it"
    attempt "'pip install' (is there a network?)" isolated "$venv/bin/python" -m pip install \
        --quiet --disable-pip-version-check "$checkout"
}

command -v apt-get >/dev/null || die "this needs Debian or Ubuntu (apt-get); see README.md for others"
checkout=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=spin/lib-tools.sh
. "$checkout/spin/lib-tools.sh"
own_python
# As the specification has it, one that is not absolute does not count.
case ${XDG_CACHE_HOME-} in /*) ;; *) unset XDG_CACHE_HOME ;; esac
cache=${XDG_CACHE_HOME:-${HOME:-~}/.cache}/vmtiming-tui
venv=$cache/venv
install_packages
own_cache
install_tool
say "booting: $venv/bin/vm-timing-report demo $*"
exec "$venv/bin/vm-timing-report" demo "$@"
