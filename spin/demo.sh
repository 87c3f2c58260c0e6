#!/usr/bin/env bash
# The newcomer's one command: install what is missing, build a small Debian guest, boot 4 of them.
#
#   spin/demo.sh [OPTIONS OF `vm-timing-report demo`]
#
# Can be run as often as you like: what is there already is neither installed nor built again.
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
    for package in qemu-system-x86 qemu-utils mmdebstrap e2fsprogs cpio kmod python3-venv; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing ${missing[*]} (apt-get)"
    as_root apt-get update -qq || die "apt-get update failed; is there a network?"
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
        die "apt-get install failed; install by hand: ${missing[*]}"
}

install_tool() {
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        die "$(python3 --version) is too old: vmtiming-tui needs Python 3.11 or newer"
    # One made by a Python that has since gone is made anew.
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        say "making a virtual environment in $venv"
        rm -rf "$venv"
        python3 -m venv "$venv" || die "python3 -m venv failed; its own words are above"
    fi
    say "installing vmtiming-tui into it"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$checkout" ||
        die "pip install failed; is there a network?"
}

command -v apt-get >/dev/null || die "this needs Debian or Ubuntu (apt-get); see README.md for others"
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=${XDG_CACHE_HOME:-$HOME/.cache}/vmtiming-tui/venv
install_packages
install_tool
say "booting: $venv/bin/vm-timing-report demo $*"
exec "$venv/bin/vm-timing-report" demo "$@"
