#!/bin/busybox sh
# shellcheck shell=dash
# The first process of the throw-away VM that reads what only a kernel can (reader_vm.py).
#
# Volumes are disks that may be written to for a journal's sake, but lose it with the VM, or are put
# together of such disks by the device mapper. /job says what to do; the console says how it goes, in lines that begin with a word of this boot alone. What
# is made is an ext4 on a disk of its own: no name and no byte gets out another way.
export PATH=/bin LC_ALL=C MKE2FS_CONFIG=/job/mke2fs.conf LVM_SYSTEM_DIR=/job
/bin/busybox mkdir -p /proc /sys /dev /tmp /tree /result
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
token=$(cat /job/token)

tell() { echo "$token $*" >/dev/console; }

end() {
    sync
    reboot -f
}

fail() {
    tell "failed $*"
    end
    sleep 3600
}

# fail_to_mount NUMBER: with what the kernel says of it, be it no more than a warning.
fail_to_mount() {
    dmesg | tail -n 1 >/dev/console
    fail "mount $1"
}

# mount_volume NUMBER DEVICE TYPE WHERE [OPTION]
mount_volume() {
    local options=ro,noatime${5:+,$5} type=$3
    case $type in
        xfs) options=$options,nouuid ;;
        ext2 | ext3) type=ext4 ;;
    esac
    mount -t "$type" -o "$options" "$2" "$4" 2>/dev/null && return
    # Read-only to the last byte, a journal cannot be played back. Above a copy it can.
    tell "unclean $1"
    blockdev --setrw "$2"
    mount -t "$type" -o "$options" "$2" "$4" 2>/dev/null || fail_to_mount "$1"
}

# resolve TREE PATH: the path without links, as the system on it would see it; fails if there is none.
resolve() {
    local tree=$1 rest=$2 done='' part hops=0
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        case $part in
            '' | .) continue ;;
            ..)
                case $done in */*) done=${done%/*} ;; *) done= ;; esac
                continue
                ;;
        esac
        if [ -L "$tree/${done:+$done/}$part" ]; then
            hops=$((hops + 1))
            [ "$hops" -le 40 ] || return 1
            part=$(readlink "$tree/${done:+$done/}$part")
            case $part in /*) done= ;; esac
            rest=$part${rest:+/$rest}
        elif [ -e "$tree/${done:+$done/}$part" ]; then
            done=${done:+$done/}$part
        else
            return 1
        fi
    done
    echo "$done"
}

# --- which part of a btrfs is the root -----------------------------------------------------------

is_there() { [ -e "$1" ] || [ -L "$1" ]; }

looks_like_root() {
    is_there "$1/etc" && { is_there "$1/usr/bin" || is_there "$1/bin"; } &&
        { is_there "$1/etc/os-release" || is_there "$1/usr/lib/os-release" ||
            is_there "$1/sbin/init" || is_there "$1/usr/sbin/init" || is_there "$1/etc/fstab"; }
}

# Those with a name distributions use, then any, then snapshots, the latest first; a subvolume's own
# folder always has the inode number 256.
subvolumes() {
    (cd "$1" && find . -mindepth 1 -maxdepth 4 -type d -inum 256) | sed 's|^\./||' >/tmp/there
    for name in @ root @rootfs @root; do grep -Fx "$name" /tmp/there; done
    grep -v -i -x -e '@' -e 'root' -e '@rootfs' -e '@root' -e '.*snapshots.*' /tmp/there | sort
    grep -i snapshots /tmp/there | sort -rV
}

# Mounts the root at /tree/NUMBER in place of what is there; sets $subvolume, tells of others.
enter_btrfs_root() {
    local name
    ! looks_like_root "/tree/$1" || return 0
    mkdir -p "/top/$1"
    mount_volume "$1" "$2" btrfs "/top/$1" subvolid=5
    subvolumes "/top/$1" >/tmp/subvolumes
    while IFS= read -r name; do
        case $name in *[!A-Za-z0-9_./@+=:-]* | *..*) continue ;; esac
        looks_like_root "/top/$1/$name" || continue
        if [ -n "$subvolume" ]; then
            tell "another $1 $name"
            continue
        fi
        mkdir -p "/root/$1"
        mount_volume "$1" "$2" btrfs "/root/$1" "subvol=/$name"
        tree=/root/$1
        subvolume=$name
    done </tmp/subvolumes
}

# --- an excerpt: what tells which system it is and how it boots ----------------------------------

# Whether the folder of a path is one in the excerpt, and no link.
has_parent() {
    local parent=${1%/*}
    [ "$parent" != "$1" ] || return 0
    [ -d "$to/$parent" ] && [ ! -L "$to/$parent" ] && has_parent "$parent"
}

folder() {
    has_parent "$1" || return 0
    if [ -L "$tree/$1" ]; then cp -a "$tree/$1" "$to/$1"
    elif [ -d "$tree/$1" ]; then mkdir -p "$to/$1"; fi
}

# All of a folder, without a copy.
whole_folder() {
    folder "$1"
    if [ -d "$to/$1" ] && [ ! -L "$to/$1" ]; then mount -o bind "$tree/$1" "$to/$1"; fi
}

# A file, without a copy.
whole_file() {
    has_parent "$1" || return 0
    if [ -L "$tree/$1" ]; then cp -a "$tree/$1" "$to/$1"
    elif [ -f "$tree/$1" ]; then : >"$to/$1" && mount -o bind "$tree/$1" "$to/$1"; fi
}

# That it is there is all that counts.
mark() {
    local real
    if [ -L "$tree/$1" ] && has_parent "$1"; then cp -a "$tree/$1" "$to/$1"; fi
    real=$(resolve "$tree" "$1") || return 0
    [ -f "$tree/$real" ] || return 0
    case $real in */*) mkdir -p "$to/${real%/*}" ;; esac
    : >"$to/$real"
}

# The modules of one kernel that an initrd for a VM takes, and the tables that name them all.
modules_of() {
    local module path
    mkdir -p "$to/$1"
    for path in "$tree/$1"/modules.* "$tree/$1"/vmlinuz* "$tree/$1"/*Image "$tree/$1"/init* \
        "$tree/$1"/pkgbase; do
        whole_file "$1/${path##*/}"
    done
    [ -f "$tree/$1/modules.dep" ] || return 0
    for module in virtio[-_]pci virtio[-_]blk ext4 xfs btrfs f2fs 'crc32c\?[-_]generic' \
        crc32c[-_]intel erofs squashfs xxhash[-_]generic sha256[-_]generic blake2b[-_]generic; do
        grep -m 1 "\(^\|/\)$module\.ko[^ /]*:" "$tree/$1/modules.dep" | tr -d ':' | tr ' ' '\n'
    done | sort -u | while IFS= read -r path; do
        case $path in '' | *..*) continue ;; esac
        if [ -L "$tree/$1/$path" ] || [ ! -f "$tree/$1/$path" ]; then continue; fi
        mkdir -p "$to/$1/${path%/*}"
        cp "$tree/$1/$path" "$to/$1/$path"
    done
}

excerpt() {
    local name base
    mkdir -p "$to"
    for name in etc usr bin sbin lib usr/bin usr/sbin usr/lib etc/selinux etc/cloud; do
        folder "$name"
    done
    for name in boot loader loader.0 loader.1 EFI efi grub grub2 extlinux syslinux limine kernels \
        etc/kernel etc/default etc/cmdline.d usr/lib/kernel; do
        whole_folder "$name"
    done
    # Kernels of deployments that are elsewhere.
    [ -d "$tree/ostree/repo" ] || whole_folder ostree
    for name in etc/fstab etc/crypttab etc/os-release etc/machine-id etc/selinux/config \
        etc/cloud/cloud-init.disabled etc/cmdline etc/zipl.conf usr/lib/os-release \
        lib/os-release; do
        whole_file "$name"
    done
    for name in sbin/init usr/sbin/init lib/systemd/systemd usr/lib/systemd/systemd \
        lib/systemd/system/systemd-firstboot.service \
        usr/lib/systemd/system/systemd-firstboot.service; do
        mark "$name"
    done
    # The name of this library has systemd's version.
    for name in "$tree"/usr/lib*/systemd/libsystemd-shared-*.so \
        "$tree"/usr/lib/*-linux-gnu*/systemd/libsystemd-shared-*.so \
        "$tree"/lib*/systemd/libsystemd-shared-*.so \
        "$tree"/lib/*-linux-gnu*/systemd/libsystemd-shared-*.so; do
        mark "${name#"$tree/"}"
    done
    # What tells of NixOS, and of its systemd.
    for name in etc/NIXOS nix-path-registration; do mark "$name"; done
    for name in nix/store nix/var/nix/profiles; do
        [ ! -d "$tree/$name" ] || [ -L "$tree/nix" ] || mkdir -p "$to/$name"
    done
    cp -a "$tree"/nix/var/nix/profiles/system "$to/nix/var/nix/profiles/" 2>/dev/null
    for name in "$tree"/nix/store/*-systemd-[0-9]*; do
        [ ! -d "$name" ] || mkdir -p "$to/nix/store/${name##*/}"
    done
    for name in "$tree"/vmlinu[xz]* "$tree"/*Image* "$tree"/kernel* "$tree"/linux "$tree"/init* \
        "$tree"/booster-* "$tree"/*.efi "$tree"/*.uki "$tree"/*.EFI; do
        [ ! -f "$name" ] || whole_file "${name##*/}"
    done
    for base in usr/lib/modules lib/modules; do
        has_parent "$base" || continue
        for name in "$tree/$base"/*; do
            [ ! -d "$name" ] || modules_of "$base/${name##*/}"
        done
    done
}

# Deployments of ostree are systems in folders: each has an excerpt of its own inside.
excerpts_of_deployments() {
    local top=$tree target=$to name
    [ -d "$top/ostree/repo" ] && [ ! -L "$top/ostree" ] || return 0
    mkdir -p "$target/ostree"
    cp -a "$top"/ostree/boot.* "$target/ostree/"
    for name in "$top"/ostree/deploy/*/deploy/*.[0-9]; do
        [ -d "$name" ] || continue
        tree=$name to=$target/${name#"$top"/}
        excerpt
    done
    tree=$top to=$target
}

# make_ext4 FOLDER DEVICE KIB INODES UUID LABEL
make_ext4() {
    /tools/mke2fs -q -t ext4 -F -m 1 -d "$1" -U "$5" -L "$6" -N "$4" \
        -E lazy_itable_init=0,lazy_journal_init=0 "$2" "${3}k" >/tmp/mke2fs 2>&1 </dev/null ||
        fail "mke2fs $(tail -n 1 /tmp/mke2fs)"
}

used_kib() { du -s -k "$1" | cut -f1; }

count_inodes() { find "$1" | wc -l; }

# is_writable TYPE: a subvolume may be one that nobody can write to, however it is mounted. The file
# that tells is lost with the VM.
is_writable() {
    local writable=0
    [ "$1" = btrfs ] || return 0
    if mount -o remount,rw "$tree" 2>/dev/null; then
        touch "$tree/.vm-report" 2>/dev/null || writable=1
        rm -f "$tree/.vm-report"
        mount -o remount,ro "$tree"
    fi
    return "$writable"
}

# Room for what a boot writes: its journal, and what programs keep.
has_room() {
    local available
    available=$(stat -f -c '%a * %S' "$tree")
    [ "$((available))" -ge 33554432 ]
}

has_labels() {
    [ -x /tools/getfattr ] &&
        /tools/getfattr -h -n security.selinux "$tree/etc" 2>/dev/null | grep -q object_r
}

make_excerpts() {
    local number device type result tree to subvolume kib inodes
    while read -r number device type result; do
        tree=/tree/$number to=/excerpt/$number subvolume=
        mkdir -p "$tree"
        mount_volume "$number" "$device" "$type" "$tree"
        [ "$type" != btrfs ] || enter_btrfs_root "$number" "$device"
        is_writable "$type" || tell "readonly $number"
        ! has_labels || tell "labelled $number"
        has_room || tell "full $number"
        excerpt
        excerpts_of_deployments
        kib=$(used_kib "$to") inodes=$(count_inodes "$to")
        make_ext4 "$to" "$result" "$((kib + kib / 4 + inodes * 5 + 32768))" "$((inodes * 2 + 1024))" \
            "$(cat /job/uuid)" ''
        # shellcheck disable=SC2046 # three and two numbers
        set -- $(stat -f -c '%b %f %S %c %d' "$tree")
        tell "excerpt $number $((($1 - $2) * $3)) $(($4 - $5)) $subvolume"
    done </job/volumes
}

# --- logical volumes, put together by the device mapper ------------------------------------------

# What cannot be is missing then, and so cannot be mounted; lvm's words on it are kept.
put_together() {
    local name
    [ -s /job/logical ] || return 0
    # A mirror need not be mended by a reader.
    echo 1 2>/dev/null >/proc/sys/dev/raid/speed_limit_max
    echo 0 2>/dev/null >/proc/sys/dev/raid/speed_limit_min
    while read -r name; do
        mkdir -p "/tmp/lvm/${name%/*}"
        # Snapshots that a boot skips are wanted, too.
        /tools/lvm lvchange -a y -K -y "$name" </dev/null >"/tmp/lvm/$name" 2>&1
    done </job/logical
}

# The first MiBs of each, one after another: what they are is told outside.
make_heads() {
    local number device name result
    result=$(cat /job/result)
    while read -r number device name; do
        if [ ! -b "$device" ]; then
            tell "apart $number $(grep -v '^ *WARNING' "/tmp/lvm/$name" | tail -n 1)"
        elif dd if="$device" of="$result" bs=1M count=4 seek="$((number * 4))" conv=notrunc \
            2>/dev/null; then
            tell "head $number"
        else
            tell "apart $number its first bytes cannot be read"
        fi
    done </job/volumes
}

# --- all of it -----------------------------------------------------------------------------------

make_copy() {
    local number device type path option place size inodes
    while read -r number device type path option; do
        place=
        if [ "$path" != / ]; then
            { place=$(resolve /tree "$path") && [ -d "/tree/$place" ]; } || fail "place $number"
        fi
        mount_volume "$number" "$device" "$type" "/tree/$place" "$option"
        # snapper keeps its snapshots below the root: every one a whole system more.
        if [ "$path" = / ] && [ "$(stat -c %i /tree/.snapshots 2>/dev/null)" = 256 ]; then
            mount -t tmpfs -o ro,size=4k tmpfs /tree/.snapshots
        fi
    done </job/volumes
    tell "measured $(used_kib /tree) $(count_inodes /tree)"
    read -r size inodes </dev/console
    make_ext4 /tree "$(cat /job/result)" "$size" "$inodes" "$(cat /job/uuid)" "$(cat /job/label)"
    # It copies everything but the top folder's own owner, mode and attributes.
    mount -t ext4 "$(cat /job/result)" /result || fail "mke2fs made no ext4"
    chown "$(stat -c %u:%g /tree)" /result
    chmod "$(stat -c %a /tree)" /result
    if [ -x /tools/getfattr ]; then
        (cd /tree && /tools/getfattr -d -m '^(user|trusted|security|system)\.' -h .) 2>/dev/null |
            (cd /result && /tools/setfattr -h --restore=-) 2>/dev/null
    fi
    umount /result
}

# relabel LABEL FILE
relabel() {
    [ "$1" = - ] ||
        /tools/setfattr -h -n security.selinux -v "system_u:object_r:$1:s0" "$2" 2>/dev/null
}

# folder_for PATH LABEL: where a folder really is, made where there is none.
folder_for() {
    local rest=$1 asked='' place='' part real
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        case $rest in */*) rest=${rest#*/} ;; *) rest= ;; esac
        asked=${asked:+$asked/}$part
        if real=$(resolve /tree "$asked"); then
            [ -d "/tree/$real" ] || return 1
            place=$real
        else
            [ ! -L "/tree/$place/$part" ] && mkdir "/tree/$place/$part" || return 1
            relabel "$2" "/tree/$place/$part"
            place=${place:+$place/}$part
        fi
    done
    echo "$place"
}

write_into() {
    local number device type path option mode label folder name place
    read -r number device type path option </job/volumes
    mount -t "$type" -o "noatime${option:+,$option}" "$device" /tree 2>/dev/null ||
        fail_to_mount "$number"
    while read -r number mode label folder name; do
        path=$folder/$name
        place=$(folder_for "$folder" "$label") || fail "folder $folder"
        place=/tree/$place/$name
        rm -f "$place" || fail "write $path"
        if [ "$mode" = link ]; then
            ln -s "$(cat "/job/writing-$number")" "$place" || fail "write $path"
        else
            cat "/job/writing-$number" >"$place" || fail "write $path"
            chmod "$mode" "$place"
            chown 0:0 "$place"
        fi
        relabel "$label" "$place"
    done </job/writings
    umount /tree || fail "write $path"
}

stty -echo </dev/console
while read -r module; do
    insmod "/modules/$module.ko" 2>/dev/null
done </job/modules
put_together
while read -r _ device type _; do
    # A btrfs on a disk that was read-only once stays so until it is unmounted everywhere.
    [ "$type" = btrfs ] || [ "$(cat /job/kind)" = write ] || [ ! -b "$device" ] ||
        blockdev --setro "$device"
done </job/volumes
tell started
case $(cat /job/kind) in
    heads) make_heads ;;
    excerpts) make_excerpts ;;
    copy) make_copy ;;
    write) write_into ;;
esac
tell finished
end
