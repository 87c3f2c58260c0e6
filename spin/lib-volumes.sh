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
        find_logical_volumes
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
    if [ "${#volume_name[@]}" != 0 ]; then
        find_logical_volumes
        return
    fi
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
# neither root nor the kernel's device mapper is needed. What only the device mapper can put together
# (thin, striped, raid, cached volumes) is left out, and said.

find_logical_volumes() {
    local i last=$((${#volume_name[@]} - 1)) group id name size ranges seen=' '
    case " ${volume_type[*]} " in *' LVM2_member '*) ;; *) return 0 ;; esac
    if ! command -v pvck >/dev/null; then
        say "there is a physical volume of LVM; to look into it: apt-get install lvm2"
        return 0
    fi
    for ((i = 0; i <= last; i++)); do
        [ "${volume_type[i]}" = LVM2_member ] || continue
        read_group "$i" >"$work/group"
        while read -r id group name size ranges; do
            [[ $seen != *" $id/$name "* ]] || continue
            seen+="$id/$name "
            add_logical_volume "$group/$name" "$size" "$ranges"
        done <"$work/group"
    done
    rm -f "$work/group"
}

read_group() {
    local i=$1 header=$work/pv-$1 size=${volume_size[$1]}
    # The metadata is in the first megabytes; a sparse file of the full size keeps pvck content.
    dd if="${volume_file[i]}" of="$header" bs=1M iflag=skip_bytes,count_bytes \
        skip="${volume_offset[i]}" count="$((size < 16777216 ? size : 16777216))" status=none
    truncate -s "$size" "$header"
    pvck --dump metadata "$header" >"$header.txt" 2>"$header.err" ||
        die "the LVM metadata of ${volume_name[i]} cannot be read: $(head -n 1 "$header.err")"
    logical_volumes <"$header.txt"
    rm -f "$header"*
}

# One line a logical volume: GROUP-ID GROUP NAME SECTORS PV-ID:START:LENGTH,... in sectors from the
# start of each physical volume; in place of the ranges the kind of a volume not laid out so.
logical_volumes() {
    awk '
        function value(line) { sub(/^[^=]*= */, "", line); gsub(/["\[\],]/, " ", line); return line }
        function word(line) { split(value(line), words, " "); return words[1] }
        /\{$/ {
            depth++; path[depth] = $1
            if (depth == 1) group = $1
            if (depth == 3 && path[2] == "logical_volumes") {
                volume = $1; ranges = ""; kind = ""; visible = 1; sectors = 0
            }
            next
        }
        $1 == "}" {
            if (depth == 4 && path[2] == "logical_volumes" && path[4] ~ /^segment/) {
                sectors += count * extent
                if (type != "striped" || stripes != 1) kind = type
                ranges = ranges "," id[disk] ":" (pe_start[disk] + first * extent) ":" (count * extent)
            }
            if (depth == 3 && path[2] == "logical_volumes" && visible)
                print group_id, group, volume, sectors, (kind != "" ? kind : substr(ranges, 2))
            depth--; next
        }
        depth == 1 && $1 == "id" { group_id = word($0) }
        depth == 1 && $1 == "extent_size" { extent = value($0) + 0 }
        depth == 3 && $1 == "pe_start" { pe_start[path[3]] = value($0) + 0 }
        depth == 3 && $1 == "id" && path[2] == "physical_volumes" { id[path[3]] = word($0) }
        depth == 3 && $1 == "status" && path[2] == "logical_volumes" && !/VISIBLE/ { visible = 0 }
        depth == 4 && $1 == "extent_count" { count = value($0) + 0 }
        depth == 4 && $1 == "type" { type = word($0) }
        depth == 4 && $1 == "stripe_count" { stripes = value($0) + 0 }
        depth == 4 && $1 == "stripes" { take = 1 }
        depth == 4 && take && match($0, /"[^"]+", *[0-9]+/) {
            split(substr($0, RSTART + 1, RLENGTH), part, /", */); disk = part[1]; first = part[2] + 0
            take = 0
        }'
}

# leave_out NAME BYTES KIND WHY: it is in the list of volumes, but nobody reads it.
leave_out() {
    volume_name+=("$1") volume_file+=('') volume_offset+=(0) volume_size+=("$2")
    volume_type+=("LVM-$3") volume_uuid+=('') volume_label+=('') volume_partuuid+=('')
    say "$1 is left out: $4. On a machine that has it as a disk, copy it and spin the copy:" \
        "qemu-img convert -O raw /dev/$1 root.raw"
}

add_logical_volume() {
    local name=$1 bytes=$(($2 * 512)) ranges=$3 range disk first count target at=0
    case $ranges in
        *:*) ;;
        thin-pool) return 0 ;;
        *)
            leave_out "$name" "$bytes" "$ranges" \
                "a volume of the kind '$ranges' is put together by the kernel's device mapper alone"
            return
            ;;
    esac
    for range in ${ranges//,/ }; do
        physical_volume "${range%%:*}" >/dev/null || {
            leave_out "$name" "$bytes" incomplete 'a part of it is on a disk that is not in this image'
            return
        }
    done
    IFS=: read -r disk first count <<<"$ranges"
    if [[ $ranges != *,* ]]; then
        disk=$(physical_volume "$disk")
        add_volume "$name" "${volume_file[disk]}" "$((volume_offset[disk] + first * 512))" \
            "$((count * 512))"
        return
    fi
    target=$work/lv-${#volume_name[@]}.img
    say "putting the pieces of $name together"
    for range in ${ranges//,/ }; do
        IFS=: read -r disk first count <<<"$range"
        disk=$(physical_volume "$disk")
        run '' "$target" 0 dd if="${volume_file[disk]}" of="$target" bs=1M status=none \
            conv=sparse,notrunc iflag=skip_bytes,count_bytes,fullblock oflag=seek_bytes \
            skip="$((volume_offset[disk] + first * 512))" count="$((count * 512))" seek="$at"
        at=$((at + count * 512))
    done
    truncate -s "$at" "$target"
    add_volume "$name" "$target" 0 "$at"
}

# mapper_name GROUP/NAME: what the device mapper calls that volume.
mapper_name() {
    local name=${1//-/--}
    echo "${name/\//-}"
}

# physical_volume ID: the number of the volume that has this id of LVM's; fails if none has.
physical_volume() {
    local i
    for i in "${!volume_uuid[@]}"; do
        [ "${volume_uuid[i]}" != "$1" ] || { echo "$i"; return 0; }
    done
    return 1
}
