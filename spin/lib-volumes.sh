# shellcheck shell=bash disable=SC2154,SC2034
# What is in a disk image: partitions, logical volumes and the file systems on them.
#
# A volume is a stretch of a file: volume_file, volume_offset and volume_size (bytes), with what
# blkid finds there. Everything here reads with ordinary file access, so none of it needs root.
# Sourced by spin-from-raw.sh, whose die, say, run and $work it uses.

volume_name=() volume_file=() volume_offset=() volume_size=()
volume_type=() volume_uuid=() volume_label=() volume_partuuid=()

# tag FILE OFFSET SIZE KEY: one fact of blkid's about that stretch, empty when it knows none.
tag() {
    blkid --probe --offset "$2" --size "$3" --match-tag "$4" --output value "$1" 2>/dev/null || true
}

add_volume() {
    local name=$1 file=$2 offset=$3 size=$4 partuuid=${5-} type
    type=$(tag "$file" "$offset" "$size" TYPE)
    volume_name+=("$name") volume_file+=("$file") volume_offset+=("$offset")
    volume_size+=("$size") volume_type+=("${type:-unknown}") volume_partuuid+=("$partuuid")
    volume_uuid+=("$(tag "$file" "$offset" "$size" UUID)")
    volume_label+=("$(tag "$file" "$offset" "$size" LABEL)")
    [ "$type" != LVM2_member ] || add_logical_volumes "$name" "$file" "$offset" "$size"
}

# The whole image, or each of its partitions; refuses an image that ends before they do.
find_volumes() {
    local file=$1 size type table number start sectors partuuid sector=512
    size=$(stat -L -c %s "$file")
    [ "$size" -gt 0 ] || die "$raw is empty"
    table=$(tag "$file" 0 "$size" PTTYPE)
    type=$(tag "$file" 0 "$size" TYPE)
    case $type in
        iso9660 | udf) die "$raw is an installer or live medium ($type), not an installed system" ;;
    esac
    if [ -z "$table" ] || { [ -n "$type" ] && [ "$type" != unknown ] && [ "$table" = dos ] &&
        [ -z "$(partx --raw --noheadings --output NR "$file" 2>/dev/null)" ]; }; then
        add_volume 'the whole image' "$file" 0 "$size"
        check_length 0 "$size"
        return
    fi
    # A GPT made for 4 KiB sectors has its header there.
    [ "$(head -c 4104 "$file" | tail -c 8 | tr -d '\0')" != 'EFI PART' ] || sector=4096
    while read -r number start sectors partuuid; do
        [ "$sectors" -gt 2 ] || continue # an extended partition is only a frame around others
        [ "$(((start + sectors) * sector))" -le "$size" ] ||
            die "$raw is cut short: partition $number ends at byte" \
                "$(((start + sectors) * sector)), the image at $size; get it again"
        add_volume "partition $number" "$file" "$((start * sector))" "$((sectors * sector))" "$partuuid"
        check_length "$((${#volume_name[@]} - 1))" "$((sectors * sector))"
    done < <(partx --raw --noheadings --bytes --sector-size "$sector" \
        --output NR,START,SECTORS,UUID "$file" 2>/dev/null)
    [ "${#volume_name[@]}" = 0 ] || return 0
    # The header of a GPT names its copy in the last sector; readers refuse one that points too far.
    start=$(od --address-radix=n --format=u8 --skip-bytes=$((sector + 32)) --read-bytes=8 "$file")
    [ "$table" = dos ] || [ "$(((start + 1) * sector))" -le "$size" ] ||
        die "$raw is cut short: its partition table is for $(((start + 1) * sector)) bytes," \
            "there are $size; get it again"
    die "$raw has a partition table ($table) but no partitions"
}

# An ext4 says how long it is; less than that was lost on the way here.
check_length() {
    local volume=$1 size=$2 blocks block_size
    case ${volume_type[volume]} in ext[234]) ;; *) return 0 ;; esac
    blocks=$(superblock "$volume" 'Block count')
    block_size=$(superblock "$volume" 'Block size')
    [ -n "$blocks" ] || die "${volume_name[volume]} of $raw is a damaged ${volume_type[volume]}"
    [ "$((blocks * block_size))" -le "$size" ] ||
        die "$raw is cut short: the file system of ${volume_name[volume]} needs" \
            "$((blocks * block_size)) bytes, there are $size; get it again"
}

# superblock VOLUME FIELD: what dumpe2fs says of an ext2, ext3 or ext4.
superblock() {
    dumpe2fs -h "${volume_file[$1]}?offset=${volume_offset[$1]}" 2>/dev/null |
        sed -n "s/^$2: *//p"
}

# carve VOLUME TARGET: copy that stretch to a file of its own, holes left as holes.
carve() {
    local source=${volume_file[$1]} options
    # A comma in qemu-img's options is written twice; $work may hold one, the link's name not.
    options="driver=raw,offset=${volume_offset[$1]},size=${volume_size[$1]}"
    options+=",file.driver=file,file.filename=${source//,/,,}"
    run "copying ${volume_name[$1]}" "$2" "$(bytes_behind "$1")" \
        qemu-img convert --image-opts -O raw "$options" "$2"
}

# How much there is to copy, for the progress: holes cost nothing.
bytes_behind() {
    local allocated
    allocated=$(($(stat -L -c '%b * %B' "${volume_file[$1]}")))
    echo "$((allocated < volume_size[$1] ? allocated : volume_size[$1]))"
}

# An ext4 that was not unmounted has changes only its journal knows: they are played back in a copy.
settle_journal() {
    local volume=$1 copy
    superblock "$volume" 'Filesystem features' | grep -qw needs_recovery || return 0
    say "${volume_name[volume]} was not unmounted: playing back its journal in a copy"
    copy=$work/volume-$volume.img
    carve "$volume" "$copy"
    check_ext "$copy"
    volume_file[volume]=$copy volume_offset[volume]=0
}

# --- LVM ------------------------------------------------------------------------------------------
#
# lvm2's pvck prints the metadata out of an ordinary file; a linear volume is then known to be such
# and such bytes. So nothing is activated, no group's name can clash with one of the host's, and
# neither root nor the kernel's device mapper is needed.

add_logical_volumes() {
    local within=$1 file=$2 offset=$3 size=$4 header=$work/pv-${#volume_name[@]} group name ranges
    if ! command -v pvck >/dev/null; then
        say "$within is a physical volume of LVM; to look into it: apt-get install lvm2"
        return 0
    fi
    # The metadata is in the first megabytes; a sparse file of the full size keeps pvck content.
    dd if="$file" of="$header" bs=1M iflag=skip_bytes,count_bytes skip="$offset" \
        count="$((size < 16777216 ? size : 16777216))" status=none
    truncate -s "$size" "$header"
    pvck --dump metadata "$header" >"$header.txt" 2>"$header.err" ||
        die "the LVM metadata of $within cannot be read: $(head -n 1 "$header.err")"
    while read -r group name ranges; do
        add_logical_volume "$within" "$file" "$offset" "$group" "$name" "$ranges"
    done < <(linear_volumes <"$header.txt")
    rm -f "$header"
}

# One line a logical volume: GROUP NAME START:LENGTH,..., in sectors from the start of the physical
# volume; `-` in place of the ranges for kinds (thin, raid, more than one disk) not laid out so.
linear_volumes() {
    awk '
        function value(line) { sub(/^[^=]*= */, "", line); gsub(/["\[\],]/, " ", line); return line }
        function close_volume() {
            if (visible) print group, volume, (plain && ranges != "" ? substr(ranges, 2) : "-")
        }
        /\{$/ {
            depth++; label = $1; path[depth] = label
            if (depth == 1) group = label
            if (depth == 3 && path[2] == "logical_volumes") {
                volume = label; ranges = ""; plain = 1; visible = 1
            }
            next
        }
        $1 == "}" {
            if (depth == 4 && path[2] == "logical_volumes" && path[4] ~ /^segment/) {
                if (type != "striped" || stripes != 1) plain = 0
                else ranges = ranges "," (pe_start + first * extent) ":" (count * extent)
            }
            if (depth == 3 && path[2] == "logical_volumes") close_volume()
            depth--; next
        }
        depth == 1 && $1 == "extent_size" { extent = value($0) + 0 }
        depth == 3 && $1 == "pe_start" { pe_start = value($0) + 0; disks++ }
        depth == 3 && $1 == "status" && path[2] == "logical_volumes" && !/VISIBLE/ { visible = 0 }
        depth == 4 && $1 == "extent_count" { count = value($0) + 0 }
        depth == 4 && $1 == "type" { split(value($0), word, " "); type = word[1] }
        depth == 4 && $1 == "stripe_count" { stripes = value($0) + 0 }
        depth == 4 && $1 == "stripes" { take = 1 }
        depth == 4 && take && match($0, /"[^"]+", *[0-9]+/) {
            split(substr($0, RSTART, RLENGTH), word, /", */); first = word[2] + 0; take = 0
            if (disks > 1) plain = 0
        }'
}

add_logical_volume() {
    local within=$1 file=$2 offset=$3 group=$4 name=$5 ranges=$6 range first count target at=0
    if [ "$ranges" = - ]; then
        say "$group/$name on $within is not a plain linear volume of one disk: left out"
        return 0
    fi
    if [[ $ranges != *,* ]]; then
        add_volume "$group/$name" "$file" "$((offset + ${ranges%:*} * 512))" "$((${ranges#*:} * 512))"
        return
    fi
    target=$work/lv-${#volume_name[@]}.img
    say "putting the pieces of $group/$name together"
    for range in ${ranges//,/ }; do
        first=${range%:*} count=${range#*:}
        run '' "$target" 0 dd if="$file" of="$target" bs=1M status=none conv=sparse,notrunc \
            iflag=skip_bytes,count_bytes,fullblock oflag=seek_bytes \
            skip="$((offset + first * 512))" count="$((count * 512))" seek="$at"
        at=$((at + count * 512))
    done
    truncate -s "$at" "$target"
    add_volume "$group/$name" "$target" 0 "$at"
}
