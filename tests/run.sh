#!/usr/bin/env bash
# Set up all the tests need and run them: apt packages, a virtual environment, lint, types, tests.
#
#   tests/run.sh                  everything
#   tests/run.sh tests/unit -k x  only pytest, with these arguments (after the same set-up)
#
# Can be run as often as you like; what is there already is not installed again.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

packages=(
    qemu-system-x86 qemu-system-arm qemu-utils ovmf uidmap mmdebstrap e2fsprogs xfsprogs btrfs-progs
    dosfstools mtools gdisk fdisk parted lvm2 f2fs-tools attr acl libcap2-bin cpio zstd binutils
    dracut-core syslinux syslinux-common systemd-boot-efi kmod socat shellcheck tmux chromium
    busybox-static lz4 procps python3-venv bubblewrap "linux-image-cloud-$(dpkg --print-architecture)"
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

venv=${VMTIMING_TEST_VENV:-.venv}
say "virtual environment in $venv"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[dev]' 2>&1 |
    grep -v '^WARNING: Location' || true
PATH=$(cd "$venv/bin" && pwd):$PATH
export PATH
python -c 'import vmtiming_tui, pytest'

if [ "$#" -gt 0 ]; then
    exec python -m pytest "$@"
fi

say "ruff, mypy, import-linter, shellcheck"
ruff format --check .
ruff check .
mypy
lint-imports
shellcheck assets/*.sh spin/*.sh vmtiming_tui/images/*.sh tests/run.sh

say "tests"
exec python -m pytest --durations=15
