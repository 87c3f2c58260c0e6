#!/usr/bin/env bash
# Set up all the tests need and run them: apt packages, a virtual environment, lint, types, tests.
#
#   tests/run.sh                  everything
#   tests/run.sh tests/unit -k x  only pytest, with these arguments (after the same set-up)
#
# Can be run as often as you like; what is there already is not installed again.
set -euo pipefail
CDPATH='' cd "$(dirname "$0")/.."

die() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }
say() { printf '\n== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# shellcheck source=spin/lib-tools.sh
. spin/lib-tools.sh
own_python

packages=(
    qemu-system-x86 qemu-system-arm qemu-utils ovmf uidmap mmdebstrap e2fsprogs xfsprogs btrfs-progs
    dosfstools mtools squashfs-tools erofs-utils gdisk fdisk parted lvm2 f2fs-tools attr acl
    libcap2-bin cpio zstd binutils xz-utils lzop zip
    dracut-core syslinux syslinux-common systemd-boot-efi kmod socat shellcheck tmux chromium
    zsh fish man-db groff mandoc busybox-static lz4 procps iproute2 python3-venv bubblewrap
    openssh-server
    "linux-image-cloud-$(dpkg --print-architecture)"
)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    attempt 'apt-get update' as_root apt-get update -q
    attempt 'apt-get install' as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

venv=${VMTIMING_TEST_VENV:-.venv}
say "virtual environment in $venv"
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
[ -x "$venv/bin/python" ] || attempt 'python3 -m venv' isolated python3 -m venv "$venv"
attempt 'pip install' isolated "$venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check --constraint "$PWD/tests/constraints.txt" --editable "${PWD}[dev]"
PATH=$venv/bin:$PATH
export PATH
python -I -c 'import vmtiming_tui, pytest'

if [ "$#" -gt 0 ]; then
    exec python -I -m pytest "$@"
fi

say "ruff, mypy, import-linter, shellcheck"
ruff format --check .
ruff check .
mypy
lint-imports
shellcheck assets/*.sh spin/*.sh vmtiming_tui/images/reader/*.sh tests/run.sh tests/matrix/*.sh \
    tests/support/old_guests/*.sh

say "tests"
# Four at a time, for most tests wait for something, in the order of tests/conftest.py. Their workers
# are to find no module in this folder.
PYTHONSAFEPATH=1 exec python -I -m pytest --durations=25 -n 4 \
    --dist loadfile --no-loadscope-reorder
