#!/usr/bin/env bash
# Make a disk image of a Linux machine ready for vm-timing-report.
#
#   spin-from-raw.sh RAW [--out DIR] [--size SIZE] [--kernel-version VERSION] [--root NAME]
#                        [--boot-files] [--dry-run] [--force]
#
# leaves DIR/rootfs.img (its root, ext4 on the whole disk, the report service inside and enabled)
# and DIR/BFILES/{vmlinuz,initrd}; DIR is the current folder unless said otherwise. RAW may also be
# qcow2, vmdk, vdi or vhdx; GPT, MBR, LVM or a bare file system; ext4, xfs, btrfs or f2fs. It is
# opened read-only and stays as it is to the byte. SIZE is a number with K, M or G; without it the
# root is as large as its content, a quarter more and 256 MiB. With --boot-files no root is made:
# kernel and initrd are taken out, and BFILES/cmdline names the root where it is in RAW, so that
# vm-timing-report --inject boots RAW itself.
#
# Why so. Tools looked at first: libguestfs reads everything, but boots a guest of its own for it,
# which takes a readable host kernel and minutes under TCG; systemd-dissect and mkosi know GPT
# images of their own kind and need root for the rest; kpartx, mount and rsync need root, the
# device mapper, and a clean-up that a SIGKILL skips. Instead, by the file systems' own tools:
#   - ext2, ext3, ext4 (most images): qemu-img copies the volume bit for bit, e2fsck and resize2fs
#     settle and size the copy, debugfs reads the source and writes into the copy. No root, no
#     mount, no loop device; owners, attributes, ACLs, links, holes: nothing can get lost.
#   - FAT: mtools. LVM: pvck and arithmetic. Neither needs root.
#   - xfs, btrfs, f2fs, and roots spread over several file systems: only the kernel reads these, so
#     they need root. They are mounted read-only in a mount namespace of this process, on loop
#     devices the kernel drops with the mount, even after SIGKILL; mke2fs -d makes an ext4 of them.
set -euo pipefail
work='' made_out=no running=no
export LC_ALL=C DEBUGFS_PAGER=__none__ PATH=$PATH:/sbin:/usr/sbin

say() { printf 'spin-from-raw: %s\n' "$*"; }
die() { printf 'spin-from-raw: %s\n' "$*" >&2; exit 1; }

# Bash waits for a command in the foreground before it obeys a signal, for one in the background
# it does not. run LABEL FILE BYTES COMMAND...: progress is how much of BYTES is in FILE; what the
# command says is in $work/stdout and $work/stderr.
run() {
    local label=$1 file=$2 bytes=$3 status=0 done_bytes
    shift 3
    if [ -n "$label" ]; then say "$label"; fi
    running=yes
    "$@" </dev/null >"$work/stdout" 2>"$work/stderr" &
    if [ -n "$file" ] && [ "$bytes" -gt 0 ] && [ -n "$label" ] && [ -t 2 ]; then
        while kill -0 "$!" 2>/dev/null; do
            done_bytes=$(stat -c '%b * %B' "$file" 2>/dev/null || echo 0)
            printf '\r  %3d %%' "$((done_bytes < bytes ? done_bytes * 100 / bytes : 100))" >&2
            sleep 0.2
        done
        printf '\r\033[K' >&2
    fi
    wait "$!" || status=$?
    running=no
    if [ "$status" -ne 0 ] && [ "$1" != e2fsck ]; then
        refuse_in_use
        # On a full disk its words are lost, too.
        [ "$(df --output=avail --block-size=1M "$work" | tail -n 1)" -gt 0 ] ||
            die "${label:-$1} failed: no room is left for $out; use --out elsewhere"
        die "${label:-$1} failed: $(grep -v '^$' "$work/stderr" | tail -n 1)"
    fi
    return "$status"
}

refuse_in_use() {
    ! grep -qs 'another process using the image' "$work/stderr" ||
        die "$raw is in use, by a running VM it seems: shut that down first"
}

clean_up() {
    local i
    [ "$BASHPID" = "$$" ] || return 0
    ignore_signals
    # A command under way would go on writing while all is removed; while it is still only a fork
    # of this shell, it would take any other signal for its own cue to tidy up.
    if [ "$running" = yes ]; then
        kill -KILL "${!-}" 2>/dev/null || true
        wait "${!-}" 2>/dev/null || true
        running=no
    fi
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
        umount "${mounts[i]}" 2>/dev/null || umount --lazy "${mounts[i]}" 2>/dev/null || true
    done
    [ -z "$work" ] || rm -rf --one-file-system "$work"
    [ "$made_out" = no ] || rmdir "$out" 2>/dev/null || true
}

usage() {
    printf '%s\n' "$*" \
        'usage: spin-from-raw.sh RAW [--out DIR] [--size SIZE] [--kernel-version VERSION]' \
        '                        [--root NAME] [--boot-files] [--dry-run] [--force]' >&2
    exit 2
}

parse_arguments() {
    raw='' out=. size='' dry_run=no version='' wanted_root='' force=no boot_files=no
    while [ "$#" -gt 0 ]; do
        case $1 in
            --out=* | --size=* | --kernel-version=* | --root=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
        esac
        case $1 in
            --out | --size | --kernel-version | --root)
                [ -n "${2-}" ] || usage "spin-from-raw: $1 needs a value" ;;
        esac
        case $1 in
            --out) out=$2; shift ;;
            --size)
                size=$(numfmt --from=iec "${2^^}" 2>/dev/null) ||
                    usage "spin-from-raw: '$2' is no size; say 4G or 800M"
                shift
                ;;
            --kernel-version) version=$2; shift ;;
            --root) wanted_root=$2; shift ;;
            --boot-files) boot_files=yes ;;
            --dry-run) dry_run=yes ;;
            --force) force=yes ;;
            -h | --help) sed -n '2,/^set -/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
            -*) usage "spin-from-raw: there is no option '$1'" ;;
            *)
                [ -z "$raw" ] || usage "spin-from-raw: one image at a time ('$raw' and '$1')"
                raw=$1
                ;;
        esac
        shift
    done
    [ -n "$raw" ] || usage 'spin-from-raw: which image?'
}

check_tools() {
    local tool missing=()
    for tool in qemu-img:qemu-utils blkid:util-linux partx:util-linux e2fsck:e2fsprogs \
        resize2fs:e2fsprogs debugfs:e2fsprogs dumpe2fs:e2fsprogs mke2fs:e2fsprogs cmp:diffutils; do
        command -v "${tool%:*}" >/dev/null || missing+=("${tool#*:}")
    done
    [ "${#missing[@]}" = 0 ] ||
        die "tools are missing: apt-get install $(printf '%s\n' "${missing[@]}" | sort -u | paste -sd ' ')"
    [ -r "$assets/vm-report.sh" ] || die "$assets/vm-report.sh is missing from this installation"
}

# Mounts are made where nobody else sees them and nothing of them can stay behind.
enter_own_namespace() {
    in_own_namespace=${VMTIMING_SPIN_NAMESPACE:-no}
    [ "$in_own_namespace" = no ] && [ "$(id -u)" = 0 ] && unshare --mount true 2>/dev/null || return 0
    VMTIMING_SPIN_NAMESPACE=yes exec unshare --mount --propagation private \
        bash "${BASH_SOURCE[0]}" "$@"
}

make_work_folder() {
    local result=rootfs.img error
    [ "$boot_files" = no ] || result=BFILES/vmlinuz
    [ "$force" = yes ] || [ "$dry_run" = yes ] || [ ! -e "$out/$result" ] ||
        die "$out/$result is there already, and overlays may stand on it; --force replaces it"
    made_out=no
    out=$(realpath -m "$out")
    case $out in *[$'\n"\\']*)
        die "$out has a line break, quote or backslash in it, which debugfs does not take; use --out" ;;
    esac
    # What is to be removed is known before it is made: a signal may come in between.
    if [ ! -d "$out" ]; then
        made_out=yes
        error=$(mkdir -p "$out" 2>&1) || die "$out cannot be made: ${error##*: }"
    fi
    work=$out/.spin-from-raw.$$.$EPOCHREALTIME
    error=$(mkdir "$work" 2>&1) || die "$out cannot be written to: ${error##*: }"
}

# Leaves in $image a raw view of RAW under a name that tools' option syntax leaves alone.
open_image() {
    local format
    [ -e "$raw" ] || die "there is no $raw"
    [ ! -d "$raw" ] || die "$raw is a folder; name the disk image itself"
    [ -f "$raw" ] ||
        die "$raw is no file; a disk is copied first: qemu-img convert -O raw $raw disk.raw"
    [ -r "$raw" ] || die "$raw may not be read by $(id -un)"
    ln -s "$(realpath "$raw")" "$work/source"
    format=$(qemu-img info "$work/source" 2>"$work/stderr" </dev/null |
        sed -n '0,/^file format: /s/^file format: //p') || true
    case $format in
        raw) image=$work/source ;;
        qcow2 | qcow | vmdk | vdi | vhdx | vpc | qed | parallels)
            image=$work/source.raw
            check_space "$(qemu-img info "$work/source" | sed -n 's/^virtual size:.*(\([0-9]*\) bytes.*/\1/p' |
                { read -r bytes; stat -L -c "%s $bytes" "$work/source"; } |
                { read -r one other; echo "$((one < other ? one : other))"; })"
            run "unpacking the $format image" "$image" "$(stat -L -c %s "$work/source")" \
                qemu-img convert -f "$format" -O raw "$work/source" "$image"
            ;;
        '')
            refuse_in_use
            die "$raw cannot be opened: $(sed 's/^qemu-img: *//' "$work/stderr" | tail -n 1)"
            ;;
        *) die "$raw is a $format image; raw, qcow2, vmdk, vdi and vhdx can be taken" ;;
    esac
}

list_volumes() {
    local i
    for i in "${!volume_name[@]}"; do
        printf '  %s: %s, %s\n' "${volume_name[i]}" "${volume_type[i]}" "$(human "${volume_size[i]}")"
    done
}

# Sets $root to the volume, $root_tree to where it is read.
find_root() {
    local i roots=()
    for i in "${!volume_name[@]}"; do
        [ -z "$wanted_root" ] || [ "${volume_name[i]}" = "$wanted_root" ] ||
            [ "${volume_name[i]}" = "partition $wanted_root" ] || continue
        open_tree "$i"
        case ${volume_type[i]} in
            ext[234] | xfs | f2fs) looks_like_root "${volume_tree[i]}" || continue ;;
            btrfs) enter_btrfs_root "$i" || continue ;;
            *) continue ;;
        esac
        roots+=("$i")
    done
    case ${#roots[@]} in
        1) root=${roots[0]} root_tree=${volume_tree[roots[0]]} ;;
        0)
            case " ${volume_type[*]} " in
                *' crypto_LUKS '* | *' BitLocker '*)
                    die "$raw is encrypted, and so cannot be taken; it has:"$'\n'"$(list_volumes)" ;;
            esac
            case " ${volume_type[*]} " in
                *' LVM-'*) die "$raw has no root file system outside the volumes left out; it has:"$'\n'"$(list_volumes)" ;;
            esac
            [ "${volume_type[*]}" != unknown ] || die "$raw is no disk image that is known here:" \
                "neither a partition table nor a file system is in it"
            die "$raw has no root file system that can be read; it has:"$'\n'"$(list_volumes)"
            ;;
        *)
            die "$raw has several systems; choose one by --root:"$'\n'"$(
                for i in "${roots[@]}"; do
                    printf '  %s: %s\n' "${volume_name[i]}" "$(name_of_system "${volume_tree[i]}")"
                done)"
            ;;
    esac
}

find_kernels() {
    local i
    scan_for_kernels "$root_tree" boot
    for i in "${!volume_name[@]}"; do
        [ "$i" != "$root" ] || continue
        case ${volume_type[i]} in ext[234] | xfs | btrfs | f2fs | vfat) ;; *) continue ;; esac
        open_tree "$i"
        scan_for_kernels "${volume_tree[i]}" ''
    done
    scan_for_kernels "$root_tree" boot/efi
    scan_modules "$root_tree" usr/lib/modules
}

say_what_to_mind() {
    case "$boot_files ${volume_type[*]} " in
        no*' swap '*) say 'its swap is left out; if the initrd waits for it, boot with --append noresume' ;;
    esac
    [ -n "$(text "$root_tree" etc/machine-id)" ] ||
        say 'it has no machine-id: every boot from it is a first boot'
    ! has "$root_tree" etc/cloud || has "$root_tree" etc/cloud/cloud-init.disabled ||
        say 'cloud-init is on; --append cloud-init=disabled boots without it'
}

make_root() {
    local tree
    if [ "${#merged_volume[@]}" = 0 ] && [[ $root_tree == ext:* ]]; then
        root_from_ext "$root" "$root_image" "$size"
        root_type=${volume_type[root]}
        return
    fi
    if [[ $root_tree == dir:* ]]; then
        tree=${root_tree#dir:}
    else
        tree=$work/root-$root
        mount_volume "$root" "$tree"
    fi
    mount_merged "$tree"
    root_from_tree "$root" "$root_image" "$size" "$tree"
    root_type=ext4
    root_tree=ext:$root
}

describe_plan() {
    local bytes
    say "$(name_of_system "$root_tree") on ${volume_name[root]} (${volume_type[root]})"
    say "kernel ${kernel_version[kernel]} (${kernel_path[kernel]})"
    if [ "$dry_run" = no ]; then return; fi
    if [[ $root_tree == ext:* ]]; then
        bytes=$(used_bytes "$root")
    else
        bytes=$(du --summarize --block-size=1 "${root_tree#dir:}" | cut -f1)
    fi
    for i in "${!merged_volume[@]}"; do
        say "${merged_path[i]} would come from ${volume_name[merged_volume[i]]}"
    done
    say 'it has:'
    list_volumes
    say 'its kernels:'
    list_kernels
    if [ "$boot_files" = yes ]; then
        say "would write $out/BFILES/vmlinuz, initrd and cmdline; nothing was written"
        return
    fi
    say "would write $out/rootfs.img (about $(human "${size:-$(roomy "$bytes")}"))," \
        "$out/BFILES/vmlinuz and initrd; nothing was written"
}

# Where a VM that has RAW as its first disk finds the root.
root_arguments() {
    local name=${volume_name[root]} subvolume=${volume_subvolume[root]-}
    case $name in
        'the whole image') echo root=/dev/vda ;;
        partition\ *) echo "root=/dev/vda${name#partition }" ;;
        */*) echo "root=/dev/mapper/$(mapper_name "$name") rd.lvm.lv=$name" ;;
    esac
    [ -z "$subvolume" ] || echo "rootflags=subvol=$subvolume"
}

# From here to the end no signal may part what belongs together.
hand_over() {
    local ready
    ignore_signals
    mkdir -p "$out/BFILES"
    mv -fT "$work/BFILES/vmlinuz" "$out/BFILES/vmlinuz"
    mv -fT "$work/BFILES/initrd" "$out/BFILES/initrd"
    if [ "$boot_files" = yes ]; then
        mv -fT "$work/BFILES/cmdline" "$out/BFILES/cmdline"
        ready="$out/BFILES/vmlinuz, initrd, and cmdline ($(cat "$out/BFILES/cmdline"))"
    else
        chmod 0644 "$root_image"
        mv -fT "$root_image" "$out/rootfs.img"
        ready="$out/rootfs.img ($(human "$(stat -c %s "$out/rootfs.img")")),"
        ready+=" $out/BFILES/vmlinuz, $out/BFILES/initrd"
    fi
    made_out=no
    say "ready: $ready"
}

main() {
    local units
    find_volumes "$image"
    find_root
    units=$(find_systemd "$root_tree")
    root_image=$work/rootfs.img
    [ "$boot_files" = yes ] || plan_merge "$root_tree"
    find_kernels
    choose_kernel "$version"
    describe_plan
    if [ "$dry_run" = yes ]; then return; fi
    say_what_to_mind
    take_kernel "$kernel" "$work/BFILES"
    if [ "$boot_files" = yes ]; then
        root_type=${volume_type[root]}
        root_arguments | paste -sd ' ' >"$work/BFILES/cmdline"
    else
        make_root
    fi
    complete_initrd "$work/BFILES/initrd" "${kernel_version[kernel]}"
    if [ "$boot_files" = no ]; then
        furnish_root "$root_tree" "$units" "$root_type"
        check_ext "$root_image"
    fi
    hand_over
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
assets=$(realpath -m "$here/../assets")
# shellcheck source=spin/lib-signals.sh
. "$here/lib-signals.sh"
# shellcheck source=spin/lib-volumes.sh
. "$here/lib-volumes.sh"
# shellcheck source=spin/lib-trees.sh
. "$here/lib-trees.sh"
# shellcheck source=spin/lib-kernels.sh
. "$here/lib-kernels.sh"
# shellcheck source=spin/lib-initrd.sh
. "$here/lib-initrd.sh"
# shellcheck source=spin/lib-rootfs.sh
. "$here/lib-rootfs.sh"

parse_arguments "$@"
check_tools
enter_own_namespace "$@"
clean_up_at_the_end clean_up
make_work_folder
open_image
main
