# shellcheck shell=bash disable=SC2154,SC2034
# Looking into the file systems of an image, without following a link out of them.
#
# A tree is where files are read from: `ext:N` is the ext2, ext3 or ext4 of volume N, read by
# debugfs without a mount; `dir:PATH` is a folder: a mounted xfs, btrfs or f2fs (this needs root),
# or what mtools copied out of a FAT.
# Sourced by spin-from-raw.sh, whose die, say, run and $work it uses.

mounts=()
volume_tree=()
volume_subvolume=()

ext_command() {
    debugfs -R "$2" "${volume_file[$1]}?offset=${volume_offset[$1]}" 2>/dev/null
}

# open_tree VOLUME: sets volume_tree[VOLUME], empty when it is no file system of ours.
open_tree() {
    local volume=$1 where=$work/tree-$1
    [ -z "${volume_tree[volume]+set}" ] || return 0
    volume_tree[volume]=
    case ${volume_type[volume]} in
        ext[234])
            settle_journal "$volume"
            volume_tree[volume]=ext:$volume
            ;;
        xfs | btrfs | f2fs)
            mount_volume "$volume" "$where"
            volume_tree[volume]=dir:$where
            ;;
        vfat)
            copy_fat "$volume" "$where"
            volume_tree[volume]=dir:$where
            ;;
    esac
}

# mount(8) makes the loop device itself: the kernel then takes it down with its last user.
mount_volume() {
    local volume=$1 where=$2 options=${3-} type=${volume_type[$1]} error
    [ "$in_own_namespace" = yes ] || die "${volume_name[volume]} is $type: only the kernel reads" \
        "that, which takes root and the right to mount; run this as root (ext4 needs neither)"
    grep -qw "$type" /proc/filesystems || modprobe -q "$type" 2>/dev/null ||
        die "${volume_name[volume]} is $type, which this host's kernel does not know"
    # Several copies of one image may be open on this host at once.
    [ "$type" != xfs ] || options+=,nouuid
    mkdir -p "$where"
    mounts+=("$where")
    if ! error=$(mount_read_only "$volume" "$where" "$options"); then
        [ "${volume_offset[volume]}" != 0 ] || [[ ${volume_file[volume]} != "$work"/volume-* ]] ||
            die "${volume_name[volume]} ($type) cannot be mounted: $error"
        # Read-only to the last byte, a journal cannot be played back. In a copy it can.
        say "${volume_name[volume]} was not unmounted, or is damaged: trying a copy"
        carve "$volume" "$work/volume-$volume.img"
        volume_file[volume]=$work/volume-$volume.img volume_offset[volume]=0
        error=$(mount -t "$type" -o "loop,noatime$options" "${volume_file[volume]}" "$where" 2>&1) ||
            die "${volume_name[volume]} ($type) cannot be mounted: ${error##*: }"
    fi
}

mount_read_only() {
    local file=${volume_file[$1]}
    mount -t "${volume_type[$1]}" "$file" "$2" 2>&1 \
        -o "ro,loop,offset=${volume_offset[$1]},sizelimit=${volume_size[$1]}$3"
}

# A FAT holds boot files only, so all of it is small; mtools reads it without a mount.
copy_fat() {
    local volume=$1 where=$2
    command -v mcopy >/dev/null ||
        die "${volume_name[volume]} is a FAT (an EFI system partition?): apt-get install mtools"
    mkdir -p "$where"
    MTOOLS_SKIP_CHECK=1 mcopy -s -n -Q -i "${volume_file[volume]}@@${volume_offset[volume]}" \
        ::/ "$where/" </dev/null >/dev/null 2>&1 || say "${volume_name[volume]}: not all of it is readable"
}

# --- one file ------------------------------------------------------------------------------------

# kind TREE PATH: file, dir, link or nothing; the last part of the path is not followed.
kind() {
    local path=$2 mode
    case $1 in
        dir:*)
            if [ -L "${1#dir:}/$path" ]; then echo link
            elif [ -d "${1#dir:}/$path" ]; then echo dir
            elif [ -f "${1#dir:}/$path" ]; then echo file; fi
            ;;
        ext:*)
            mode=$(ext_command "${1#ext:}" "stat \"/$path\"" | sed -n '1s/.*Type: *\([a-z]*\).*/\1/p')
            case $mode in regular) echo file ;; directory) echo dir ;; symlink) echo link ;; esac
            ;;
    esac
}

target_of_link() {
    case $1 in
        dir:*) readlink "${1#dir:}/$2" ;;
        ext:*)
            local target
            target=$(ext_command "${1#ext:}" "stat \"/$2\"" | sed -n 's/^Fast link dest: "\(.*\)"$/\1/p')
            # A link too long for its inode keeps its target in a block.
            echo "${target:-$(ext_command "${1#ext:}" "cat \"/$2\"" | tr -d '\0')}"
            ;;
    esac
}

# resolve TREE PATH: the path without links, as the system on it would see it; fails if it is not there.
resolve() {
    local tree=$1 rest=$2 done='' part hops=0 what
    while [ -n "$rest" ]; do
        part=${rest%%/*}
        if [[ $rest == */* ]]; then rest=${rest#*/}; else rest=; fi
        case $part in
            '' | .) continue ;;
            ..)
                if [[ $done == */* ]]; then done=${done%/*}; else done=; fi
                continue
                ;;
        esac
        what=$(kind "$tree" "${done:+$done/}$part")
        case $what in
            '') return 1 ;;
            link)
                hops=$((hops + 1))
                [ "$hops" -le 40 ] || return 1
                part=$(target_of_link "$tree" "${done:+$done/}$part")
                [[ $part != /* ]] || done=
                rest=$part${rest:+/$rest}
                ;;
            *) done=${done:+$done/}$part ;;
        esac
    done
    echo "$done"
}

has() { resolve "$1" "$2" >/dev/null; }

# names TREE PATH: what is in that folder, one a line; nothing when it is not there.
names() {
    local path
    path=$(resolve "$1" "$2") || return 0
    case $1 in
        dir:*) find "${1#dir:}/$path" -mindepth 1 -maxdepth 1 -printf '%f\n' 2>/dev/null ;;
        ext:*) ext_command "${1#ext:}" "ls -p \"/$path\"" | cut -d/ -f6 | grep -vx -e '' -e '\.' -e '\.\.' ;;
    esac || true
}

# fetch TREE PATH TARGET: copy one file out; fails if it is not there.
fetch() {
    local path
    path=$(resolve "$1" "$2") || return 1
    case $1 in
        dir:*) [ -f "${1#dir:}/$path" ] && cp -- "${1#dir:}/$path" "$3" ;;
        ext:*)
            rm -f "$3"
            ext_command "${1#ext:}" "dump \"/$path\" \"$3\"" >/dev/null
            [ -f "$3" ]
            ;;
    esac
}

# text TREE PATH: the file on stdout, empty when it is not there.
text() {
    ! fetch "$1" "$2" "$work/text" || { tr -d '\0' <"$work/text"; }
    rm -f "$work/text"
}

# --- which of them is the root -------------------------------------------------------------------

looks_like_root() {
    has "$1" etc && { has "$1" usr/bin || has "$1" bin; } &&
        { has "$1" etc/os-release || has "$1" usr/lib/os-release || has "$1" sbin/init ||
            has "$1" usr/sbin/init || has "$1" etc/fstab; }
}

name_of_system() {
    local line
    line=$({ text "$1" etc/os-release; text "$1" usr/lib/os-release; } | grep -m 1 '^PRETTY_NAME=') || true
    line=${line#*=}
    line=${line//[\"\']/}
    echo "${line:-a system without os-release}"
}

# A btrfs keeps its root in a subvolume: the default one, or one with a name distributions use.
enter_btrfs_root() {
    local volume=$1 top=$work/top-$1 name
    looks_like_root "${volume_tree[volume]}" && return 0
    mount_volume "$volume" "$top" ,subvolid=5
    while read -r name; do
        looks_like_root "dir:$top/$name" || continue
        mount_volume "$volume" "$work/root-$volume" ",subvol=/$name"
        volume_tree[volume]=dir:$work/root-$volume
        volume_subvolume[volume]=$name
        say "${volume_name[volume]}: the root is in subvolume $name"
        return 0
    done < <(
        printf '%s\n' @ root @rootfs @root
        # A subvolume's own folder always has this inode number.
        find "$top" -mindepth 1 -maxdepth 4 -type d -inum 256 -printf '%P\n' | LC_ALL=C sort
    )
    return 1
}
