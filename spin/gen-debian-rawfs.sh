#!/usr/bin/env bash
# Build a raw image of a plain Debian (or Ubuntu), as a start for spin-from-raw.sh.
#
#   gen-debian-rawfs.sh [--suite SUITE] [--packages NAME,NAME...] [--size SIZE] OUT.raw
#
# SUITE is the host's own unless said otherwise; its packages then come from where the host's come
# from. SIZE is a number with M or G; without it: the content, a quarter more and 256 MiB.
#
# OUT.raw is one ext4 on the whole image with kernel and stock initrd in /boot: no partitions and no
# boot loader, because QEMU is handed the kernel, and none of this then needs a loop device or a
# mount of its own. mmdebstrap makes the system, as root or in a user namespace for others; mke2fs -d
# puts it into the file system. OUT.raw gets its name when it is whole.
set -euo pipefail
export PATH=$PATH:/sbin:/usr/sbin

die() { printf 'gen-debian-rawfs: %s\n' "$*" >&2; exit 1; }
say() { printf 'gen-debian-rawfs: %s\n' "$*"; }

usage() {
    printf '%s\n' "gen-debian-rawfs: $*" \
        'usage: gen-debian-rawfs.sh [--suite SUITE] [--packages A,B] [--size SIZE] OUT.raw' >&2
    exit 2
}

# --- inside mmdebstrap's hook: the finished system is in $1 --------------------------------------

inside_clean_up() {
    ! mountpoint -q "$root.view" || umount "$root.view"
    [ ! -d "$root.view" ] || rmdir "$root.view"
}

inside() {
    local content size
    root=$1
    echo debian >"$root/etc/hostname"
    echo 'LABEL=debian-root / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
    # An installed machine has its id; without one every boot would be a first boot.
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$root/etc/machine-id"
    echo >>"$root/etc/machine-id"
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    # A plain bind mount shows the tree without the /proc, /sys and /dev mounted inside it.
    mkdir "$root.view"
    mount --bind "$root" "$root.view"
    clean_up_at_the_end inside_clean_up
    content=$(du --summarize --block-size=1M "$root.view" | cut -f1)
    size=${RAW_SIZE_MIB:-$((content * 5 / 4 + 256))}
    [ "$size" -gt "$content" ] || die "--size ${size}M is too small; the content takes ${content}M"
    mke2fs -q -t ext4 -b 4096 -L debian-root -E lazy_itable_init=1 -d "$root.view" \
        "$root.raw" "${size}M" >/dev/null
    inside_clean_up
    mv "$root.raw" "$root/rootfs.raw"
}

# --- outside -------------------------------------------------------------------------------------

build() {
    local started=$SECONDS
    need_tools mmdebstrap mke2fs
    [ ! -e "$out" ] || die "$out is there already; remove it or choose another name"
    [ -d "$(dirname "$out")" ] || die "there is no folder $(dirname "$out")"
    work=$out.$$.$EPOCHREALTIME
    mkdir "$work" || die "$(dirname "$out") cannot be written to"
    say "building $distribution $suite (a minute or two, mostly unpacking packages) ..."
    RAW_SIZE_MIB=$size_mib make_debian --variant=minbase \
        --include="systemd-sysv,dbus,udev,e2fsprogs,initramfs-tools,zstd,$(kernel_package)$packages" \
        --customize-hook="bash '${BASH_SOURCE[0]}' --inside \"\$1\"" \
        --customize-hook="copy-out /rootfs.raw '$work'"
    fallocate --dig-holes "$work/rootfs.raw"
    mv -T "$work/rootfs.raw" "$out"
    say "done in $((SECONDS - started)) s: $out; next: spin-from-raw.sh $out"
}

# shellcheck source=spin/lib-debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib-debian.sh"
packages='' size_mib='' out=''

while [ "$#" -gt 0 ]; do
    case $1 in
        --inside) inside "$2"; exit ;;
        --suite=* | --packages=* | --size=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    case $1 in --suite | --packages | --size) [ -n "${2-}" ] || usage "$1 needs a value" ;; esac
    case $1 in
        --suite) suite=$2; shift ;;
        --packages) packages+=,$2; shift ;;
        --size)
            size_mib=$(($(numfmt --from=iec "${2^^}" 2>/dev/null || echo 0) / 1048576))
            [ "$size_mib" -gt 0 ] || usage "'$2' is no size; say 2G or 900M"
            shift
            ;;
        -h | --help) sed -n '2,/^set -/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
        -*) usage "there is no option '$1'" ;;
        *) [ -z "$out" ] || usage "one image at a time"; out=$(realpath -m "$1") ;;
    esac
    shift
done
[ -n "$out" ] || usage 'which file is it to be?'
[ -n "$suite" ] || usage 'this host is no Debian or Ubuntu: name a --suite'
clean_up_at_the_end clean_up
build
