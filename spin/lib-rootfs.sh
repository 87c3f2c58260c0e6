# shellcheck shell=bash disable=SC2154,SC2034
# The new root file system: made, sized and given what vm-timing-report needs inside.
#
# Sourced by spin-from-raw.sh, whose die, say, run, $work and $assets it uses.

merged_volume=() merged_path=() merged_options=()
mib=$((1024 * 1024))

# check_ext FILE: play back the journal, mend what is safe to mend, refuse the rest.
check_ext() {
    local status=0
    run 'checking the file system' '' 0 e2fsck -fp "$1" || status=$?
    [ "$status" -lt 4 ] || die "the root file system is damaged; e2fsck says:" \
        "$(cat "$work/stdout" "$work/stderr" | tail -n 3 | sed "s|$work/[^:]*: *||")"
}

roomy() { echo "$((($1 + $1 / 4) / mib * mib + 256 * mib))"; }

human() { numfmt --to=iec --suffix=B "$1"; }

check_space() {
    local need=$1 free
    free=$(df --output=avail --block-size=1 "$work" | tail -n 1)
    [ "$need" -le "$free" ] ||
        die "$out has room for $(human "$free"), but this takes $(human "$need"); use --out elsewhere"
}

# used_bytes VOLUME: what an ext2, ext3 or ext4 holds.
used_bytes() {
    local blocks free block_size
    blocks=$(superblock "$1" 'Block count') free=$(superblock "$1" 'Free blocks')
    block_size=$(superblock "$1" 'Block size')
    echo "$(((blocks - free) * block_size))"
}

# Bit for bit, then cut to size: nothing an ext4 can hold is lost that way.
root_from_ext() {
    local volume=$1 target=$2 size=$3 block_size least
    check_space "$(bytes_behind "$volume")"
    if [ "${volume_file[volume]}" = "$work/volume-$volume.img" ]; then
        mv "${volume_file[volume]}" "$target"
    else
        carve "$volume" "$target"
    fi
    volume_file[volume]=$target volume_offset[volume]=0
    check_ext "$target"
    block_size=$(superblock "$volume" 'Block size')
    least=$(($(resize2fs -P "$target" 2>/dev/null | sed -n 's/.*: *//p') * block_size))
    [ "$least" -gt 0 ] || die "resize2fs cannot tell how small the root file system may be"
    size=$(wanted_size "$size" "$least")
    run "making it $(human "$size")" '' 0 resize2fs "$target" "$((size / 1024))K"
    truncate -s "$size" "$target"
    # Blocks that once held deleted files become holes.
    run '' '' 0 e2fsck -fp -E discard "$target" || [ "$?" -lt 4 ] ||
        die "the root file system could not be resized; choose another --size"
}

wanted_size() {
    local asked=$1 least=$2
    if [ -z "$asked" ]; then
        roomy "$least"
    elif [ "$asked" -lt "$least" ]; then
        die "--size $(human "$asked") is too small; the content alone takes $(human "$least")"
    else
        echo "$((asked / mib * mib))"
    fi
}

# --- copying files: xfs, btrfs, f2fs, and roots spread over several file systems ------------------

# Kernels of ten years ago mount this, too: the guest's may be one.
write_mke2fs_conf() {
    cat >"$work/mke2fs.conf" <<'CONF'
[defaults]
    base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
    blocksize = 4096
    inode_size = 256
    inode_ratio = 16384
[fs_types]
    ext4 = {
        features = has_journal,extent,huge_file,flex_bg,uninit_bg,dir_nlink,extra_isize
    }
CONF
}

# The old name and UUID stay: a dracut made for that one machine waits for them.
root_from_tree() {
    local volume=$1 target=$2 asked=$3 tree=$4 size least inodes bytes uuid
    run 'measuring the content' '' 0 du --summarize --block-size=1 "$tree"
    read -r bytes _ <"$work/stdout"
    run '' '' 0 du --summarize --inodes "$tree"
    read -r inodes _ <"$work/stdout"
    # A block for each file that was packed tighter, its inode, and the journal.
    least=$((bytes + bytes / 32 + inodes * 4352 + 80 * mib))
    size=$(wanted_size "$asked" "$least")
    check_space "$least"
    write_mke2fs_conf
    uuid=${volume_uuid[volume]}
    [[ $uuid =~ ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$ ]] || uuid=random
    run "copying the files ($(human "$bytes"))" "$target" "$bytes" \
        env MKE2FS_CONFIG="$work/mke2fs.conf" mke2fs -q -t ext4 -F -m 1 -d "$tree" -U "$uuid" \
        -L "${volume_label[volume]:0:16}" -N "$((inodes + inodes / 4 + size / 16384))" \
        -E lazy_itable_init=0,lazy_journal_init=0 "$target" "$((size / 1024))k"
    volume_file[volume]=$target volume_offset[volume]=0
    copy_root_folder "$tree" "$target"
}

# mke2fs -d copies everything but the top folder's own owner, mode and attributes.
copy_root_folder() {
    local tree=$1 target=$2 name
    {
        stat -c $'sif / mode 0%a\nsif / uid %u\nsif / gid %g' "$tree" | sed 's/mode 0/mode 040/'
        # shellcheck disable=SC2012
        getfattr_names "$tree" | while read -r name; do
            getfattr --only-values -h -n "$name" "$tree" >"$work/attr.${name//\//_}" 2>/dev/null &&
                echo "ea_set -f $work/attr.${name//\//_} / $name"
        done
    } >"$work/commands"
    debugfs -w -f "$work/commands" "$target" >/dev/null 2>&1
    rm -f "$work"/attr.*
}

getfattr_names() {
    if command -v getfattr >/dev/null; then
        getfattr -h -m - "$1" 2>/dev/null | grep -v -e '^#' -e '^$' -e '^btrfs\.' || true
    fi
}

# volume_of SPEC: the number of the volume an fstab line means; fails if it is not in this image.
volume_of() {
    local spec=${1//\"/} i name number
    for i in "${!volume_name[@]}"; do
        name=${volume_name[i]}
        [[ ${volume_type[i]} != LVM-* ]] || continue
        case $spec in
            UUID=* | /dev/disk/by-uuid/*)
                { [ -n "${volume_uuid[i]}" ] && [[ ${spec,,} == *[=/]"${volume_uuid[i],,}" ]]; } || continue ;;
            LABEL=* | /dev/disk/by-label/*)
                { [ -n "${volume_label[i]}" ] && [[ $spec == *[=/]"${volume_label[i]}" ]]; } || continue ;;
            PARTUUID=* | /dev/disk/by-partuuid/*)
                [ -n "${volume_partuuid[i]}" ] || continue
                [[ ${spec,,} == *[=/]"${volume_partuuid[i],,}" ]] || continue ;;
            /dev/mapper/*)
                [[ $name == */* ]] || continue
                [ "$spec" = "/dev/mapper/$(mapper_name "$name")" ] || continue ;;
            /dev/*)
                number=${spec##*[!0-9]}
                [ "$spec" = "/dev/$name" ] ||
                    { [ -n "$number" ] && [ "$name" = "partition $number" ]; } || continue ;;
            *) return 1 ;;
        esac
        echo "$i"
        return 0
    done
    return 1
}

# plan_merge TREE: from the image's own fstab, the file systems that belong below the root.
plan_merge() {
    local spec path type options volume
    while read -r spec path type options _; do
        case $spec in '' | \#*) continue ;; esac
        case $path in / | none | swap | /boot | /boot/* | /efi | /.snapshots) continue ;; esac
        case $type in ext[234] | xfs | btrfs | f2fs | auto) ;; *) continue ;; esac
        if volume=$(volume_of "$spec"); then
            merged_volume+=("$volume") merged_path+=("$path") merged_options+=("$options")
        else
            case $path in
                /usr | /var) die "$path is on $spec, which is not in this image" ;;
                *) say "$path is on $spec, which is not in this image: left out" ;;
            esac
        fi
    done < <(text "$1" etc/fstab; echo)
}

mount_merged() {
    local tree=$1 i place subvolume
    for i in "${!merged_volume[@]}"; do
        place=$(resolve "dir:$tree" "${merged_path[i]}") ||
            die "${merged_path[i]} of the image's fstab has no folder to be mounted on"
        subvolume=
        if [[ ${merged_options[i]} =~ (^|,)(subvol(id)?=[^,]+) ]]; then
            subvolume=,${BASH_REMATCH[2]}
        fi
        mount_volume "${merged_volume[i]}" "$tree/$place" "$subvolume"
        say "${merged_path[i]} comes from ${volume_name[merged_volume[i]]}${subvolume/,/, }"
    done
    # snapper keeps its snapshots below the root: every one a whole system more.
    if [ "$(stat -c %i "$tree/.snapshots" 2>/dev/null)" = 256 ]; then
        mounts+=("$tree/.snapshots")
        mount -t tmpfs -o ro,size=4k tmpfs "$tree/.snapshots"
    fi
}

# --- what goes inside ----------------------------------------------------------------------------

# Written by debugfs, so without a mount. SELinux's labels are set as the policy names them, which
# spares the guest a relabelling of everything.
put_file() {
    local tree=$1 source=$2 path=$3 mode=$4 label=$5 parent
    parent=$(make_folder "$tree" "$(dirname "$path")")
    path=/$parent/$(basename "$path")
    printf '%s\n' "rm \"$path\"" "write \"$source\" \"$path\"" "sif \"$path\" mode 0100$mode" \
        "sif \"$path\" uid 0" "sif \"$path\" gid 0" >"$work/commands"
    [ -z "$selinux" ] || add_label "$path" "$label"
    write_commands
    { fetch "$tree" "$path" "$work/written" && cmp -s "$source" "$work/written"; } ||
        die "$path could not be written into the new root (no room? a larger --size helps)"
    rm -f "$work/written"
}

put_link() {
    local tree=$1 target=$2 path=$3 parent
    parent=$(make_folder "$tree" "$(dirname "$path")")
    path=/$parent/$(basename "$path")
    printf '%s\n' "rm \"$path\"" "symlink \"$path\" \"$target\"" >"$work/commands"
    [ -z "$selinux" ] || add_label "$path" systemd_unit_file_t
    write_commands
    [ "$(kind "$tree" "${path#/}")" = link ] || die "$path could not be written into the new root"
}

# make_folder TREE PATH: the folder, made if it is missing; prints where it really is.
make_folder() {
    local tree=$1 path=$2 parent
    resolve "$tree" "$path" && return 0
    parent=$(make_folder "$tree" "$(dirname "$path")")
    path=/${parent:+$parent/}$(basename "$path")
    printf 'mkdir "%s"\n' "$path" >"$work/commands"
    [ -z "$selinux" ] || add_label "$path" systemd_unit_file_t
    write_commands
    echo "${path#/}"
}

add_label() {
    printf 'system_u:object_r:%s:s0\0' "$2" >"$work/label.$2"
    echo "ea_set -f $work/label.$2 \"$1\" security.selinux" >>"$work/commands"
}

write_commands() {
    debugfs -w -f "$work/commands" "$root_image" >/dev/null 2>"$work/debugfs" ||
        die "debugfs cannot write into the new root: $(tail -n 1 "$work/debugfs")"
}

# find_systemd TREE: prints the folder of its units, or refuses with what was found instead.
find_systemd() {
    local tree=$1 folder init
    for folder in usr/lib/systemd lib/systemd; do
        has "$tree" "$folder/systemd" || continue
        echo "$folder/system"
        return 0
    done
    init=$(resolve "$tree" sbin/init || resolve "$tree" usr/sbin/init) || init='no init at all'
    die "$(name_of_system "$tree") in $raw has no systemd, which reports the boot time; its init:" \
        "$init"
}

# The image's own fstab with the root on /dev/vda, and without the disks that will not be there: a
# boot would wait 90 s for each.
new_fstab() {
    local tree=$1 type=$2 spec path kind options dump pass root_options=defaults root_pass=0
    while read -r spec path kind options dump pass; do
        [[ $path = / && $spec != \#* ]] || continue
        # Options of one kind of file system mean nothing to another.
        case $kind in ext[234]) root_options=${options:-defaults} root_pass=${pass:-0} ;; esac
    done < <(text "$tree" etc/fstab; echo)
    echo "/dev/vda / $type $root_options 0 $root_pass"
    while IFS= read -r line; do
        read -r spec path kind options dump pass <<<"$line"
        case $spec:$path:$kind in
            :* | \#* | *:/:*) ;;
            *:tmpfs | *:ramfs | *:proc | *:sysfs | *:devpts | *:hugetlbfs | *:debugfs | *:tracefs | \
                *:configfs | *:securityfs | *:cgroup* | *:mqueue | *:overlay) echo "$line" ;;
            /[!d]*:*:none) echo "$line" ;;
            *) echo "# not in this image: $line" ;;
        esac
    done < <(text "$tree" etc/fstab; echo)
}

find_selinux() {
    text "$1" etc/selinux/config | sed -n 's/^SELINUX=\([a-z]*\).*/\1/p' | tail -n 1
}

is_labelled() {
    debugfs -R 'ea_list /etc' "$root_image" 2>/dev/null | grep -q security.selinux
}

furnish_root() {
    local tree=$1 units=$2 type=$3 state
    selinux=
    state=$(find_selinux "$tree")
    case $state in
        enforcing | permissive)
            if is_labelled; then
                selinux=$state
                say "SELinux is $state: the new files get their labels, a relabelling is not needed"
            else
                say "SELinux is $state but the files have no labels: boot with --append enforcing=0"
            fi
            ;;
    esac
    put_file "$tree" "$assets/vm-report.sh" usr/bin/vm-report 755 bin_t
    put_file "$tree" "$assets/vm-report.service" "$units/vm-report.service" 644 systemd_unit_file_t
    put_link "$tree" "/$units/vm-report.service" \
        etc/systemd/system/multi-user.target.wants/vm-report.service
    # A first boot applies presets, and some distributions' disable what they do not know.
    echo 'enable vm-report.service' >"$work/preset"
    put_file "$tree" "$work/preset" etc/systemd/system-preset/00-vm-report.preset 644 systemd_unit_file_t
    new_fstab "$tree" "$type" >"$work/fstab"
    put_file "$tree" "$work/fstab" etc/fstab 644 etc_t
    furnish_crypttab "$tree"
}

furnish_crypttab() {
    text "$1" etc/crypttab >"$work/crypttab.old"
    grep -q '^[[:space:]]*[^#[:space:]]' "$work/crypttab.old" || return 0
    sed 's/^[[:space:]]*[^#[:space:]]/# not in this image: &/' "$work/crypttab.old" >"$work/crypttab"
    put_file "$1" "$work/crypttab" etc/crypttab 600 etc_t
    say "its encrypted volumes are not in the new image: crypttab emptied"
}
