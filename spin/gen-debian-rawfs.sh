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

inside() {
    local root=$1 content size
    echo debian >"$root/etc/hostname"
    echo 'LABEL=debian-root / ext4 errors=remount-ro 0 1' >"$root/etc/fstab"
    # An installed machine has its id; without one every boot would be a first boot.
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$root/etc/machine-id"
    echo >>"$root/etc/machine-id"
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
    # A plain bind mount shows the tree without the /proc, /sys and /dev mounted inside it.
    mkdir "$root.view"
    mount --bind "$root" "$root.view"
    trap 'umount "$root.view" && rmdir "$root.view"' EXIT
    trap 'exit 143' INT TERM HUP
    content=$(du --summarize --block-size=1M "$root.view" | cut -f1)
    size=${RAW_SIZE_MIB:-$((content * 5 / 4 + 256))}
    [ "$size" -gt "$content" ] || die "--size ${size}M is too small; the content takes ${content}M"
    mke2fs -q -t ext4 -b 4096 -L debian-root -E lazy_itable_init=1 -d "$root.view" \
        "$root.raw" "${size}M" >/dev/null
    umount "$root.view"
    rmdir "$root.view"
    trap - EXIT
    mv "$root.raw" "$root/rootfs.raw"
}

# --- outside -------------------------------------------------------------------------------------

# The host's own sources of this suite, as one-line entries; nothing when it has none.
host_sources() {
    # shellcheck disable=SC2016 # apt-get fills these in
    apt-get indextargets --format '$(ORIGIN)|$(SIGNED_BY)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)' \
        'Created-By: Packages' 2>/dev/null | sort -u |
        while IFS='|' read -r origin key uri release component; do
            case $origin in Debian | Ubuntu | '' | '$('*) ;; *) continue ;; esac
            case $release in "$suite" | "$suite"-updates | "$suite"-security) ;; *) continue ;; esac
            case $key in /*) key="[signed-by=$key] " ;; *) key= ;; esac
            echo "deb $key$uri $release $component"
        done
}

kernel_package() {
    case $distribution in
        ubuntu) echo linux-image-virtual ;;
        *) echo "linux-image-cloud-$(dpkg --print-architecture)" ;;
    esac
}

# shellcheck disable=SC2317 # the trap calls it
clean_up() {
    trap '' INT TERM HUP
    if [ -n "$builder" ]; then
        kill -TERM -- "-$builder" 2>/dev/null || true
        wait "$builder" 2>/dev/null || true
    fi
    [ -z "$work" ] || rm -rf --one-file-system "$work"
}

build() {
    local started=$SECONDS sources=() tool
    for tool in mmdebstrap mke2fs; do
        command -v "$tool" >/dev/null || die "$tool is missing: apt-get install mmdebstrap e2fsprogs"
    done
    [ ! -e "$out" ] || die "$out is there already; remove it or choose another name"
    [ -d "$(dirname "$out")" ] || die "there is no folder $(dirname "$out")"
    work=$out.$$.$EPOCHREALTIME
    mkdir "$work" || die "$(dirname "$out") cannot be written to"
    say "building $distribution $suite (a minute or two, mostly unpacking packages) ..."
    host_sources >"$work/sources"
    [ ! -s "$work/sources" ] || sources=("$work/sources")
    # As root the tree is made inside $work, which goes with whatever is in it. In a user namespace
    # it belongs to others; there mmdebstrap tidies up.
    [ "$(id -u)" != 0 ] || { mkdir "$work/tmp" && chmod 0711 "$work" && export TMPDIR=$work/tmp; }
    # A session of its own lets one signal reach all of it; bash runs a trap at once only in `wait`.
    RAW_SIZE_MIB=$size_mib setsid mmdebstrap --quiet --variant=minbase --format=null \
        --include="systemd-sysv,dbus,udev,e2fsprogs,initramfs-tools,zstd,$(kernel_package)$packages" \
        --customize-hook="bash '${BASH_SOURCE[0]}' --inside \"\$1\"" \
        --customize-hook="copy-out /rootfs.raw '$work'" \
        "$suite" - "${sources[@]}" </dev/null &
    builder=$!
    wait "$builder" || die 'mmdebstrap failed; its own words are above'
    builder=
    fallocate --dig-holes "$work/rootfs.raw"
    mv -T "$work/rootfs.raw" "$out"
    say "done in $((SECONDS - started)) s: $out; next: spin-from-raw.sh $out"
}

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# shellcheck source=/dev/null
distribution=$(. /etc/os-release && echo "$ID")
packages='' size_mib='' out='' work='' builder=''

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
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
build
