# shellcheck shell=bash disable=SC2154,SC2034
# An initrd made for one machine alone, completed for the VM.
#
# Such an initrd (dracut's host-only mode, initramfs-tools' MODULES=dep) has the drivers of that
# machine's disk and file system only. The kernel unpacks archives one after another into one tree:
# so a second one, with the missing modules and the tables that name them all, completes it. Both
# come from the image's own root.
# Sourced by spin-from-raw.sh, whose die, say, run and $work it uses.

# What lies between the kernel and an ext4 on /dev/vda.
vm_modules=(virtio_pci virtio_blk ext4 crc32c_generic crc32c_intel)

# initrd_names FILE: the paths in all of its archives; fails if one cannot be read with the tools here.
initrd_names() {
    local file=$1 at=0 size skip magic
    size=$(stat -c %s "$file")
    while [ "$at" -lt "$size" ]; do
        magic=$(od --address-radix=n --format=x1 --skip-bytes="$at" --read-bytes=6 "$file" | tr -d ' ')
        case $magic in
            30373037303[12])
                part_of "$file" "$at" | cpio --list --quiet 2>/dev/null || true
                # Its header's last fields are in front, as cpio itself has the bare word inside.
                skip=$(first_match '0000000B0{8}TRAILER!!!\x00' < <(part_of "$file" "$at")) || return 1
                at=$((at + skip + 27))
                ;;
            00*)
                skip=$(first_match '[^\x00]' < <(part_of "$file" "$at")) || return 0
                at=$((at + skip))
                ;;
            *) plain_part "$file" "$at" "$magic" | cpio --list --quiet 2>/dev/null; return ;;
        esac
    done
}

part_of() { tail -c "+$(($2 + 1))" "$1"; }

# first_match PATTERN: at which byte of stdin it is; fails if it is nowhere.
first_match() {
    local -x LC_ALL=C
    # Whoever stops reading early makes grep fail, if it is still writing.
    grep --byte-offset --only-matching --text --max-count=1 --ignore-case --perl-regexp "$1" |
        sed -n '1s/:.*//p' | grep .
}

plain_part() {
    local tool
    case $3 in
        1f8b*) tool=gzip ;;
        fd377a*) tool=xz ;;
        5d0000*) tool='xz --format=lzma' ;;
        425a68*) tool=bzip2 ;;
        28b52ffd*) tool=zstd ;;
        02214c18* | 04224d18*) tool=lz4 ;;
        *) return 1 ;;
    esac
    command -v "${tool%% *}" >/dev/null || return 1
    # Padding at the end, which some of them complain of, is none of the archive.
    # shellcheck disable=SC2086 # xz brings an option
    part_of "$1" "$2" | $tool -dc 2>/dev/null || true
}

# Sets $modules to the folder of that kernel's modules in the image; fails if it has none.
find_modules() {
    local version=$1
    modules=$(resolve "$root_tree" "usr/lib/modules/$version") ||
        modules=$(resolve "$root_tree" "lib/modules/$version") || return 1
    text "$root_tree" "$modules/modules.dep" >"$work/modules.dep"
    text "$root_tree" "$modules/modules.builtin" >"$work/modules.builtin"
    [ -s "$work/modules.dep" ]
}

bare_name() {
    local name=${1##*/}
    echo "${name%%.ko*}"
}

# missing_modules: the paths, below $modules, of what the VM takes and the initrd does not have.
missing_modules() {
    local module line path
    for module in "${vm_modules[@]}"; do
        # Whether a name has dashes or underscores differs from one table to another.
        line=$(grep -m 1 "\(^\|/\)${module//_/[-_]}\.ko[^ /]*:" "$work/modules.dep") || continue
        for path in ${line%%:*} ${line#*:}; do
            grep -q "/$(bare_name "$path")\.ko" "$work/names" || echo "$path"
        done
    done | awk '!seen[$0]++'
}

# Says what no initrd can make good.
look_into_kernel() {
    local module
    [ -s "$work/modules.builtin" ] || return 0
    for module in virtio_pci virtio_blk ext4; do
        grep -q "\(^\|/\)${module//_/[-_]}\.ko" "$work/modules.builtin" "$work/modules.dep" ||
            say "the kernel ${kernel_version[kernel]} has no $module: it will not find its root in a VM"
    done
}

# Says what it lacks and cannot be given; fails when the modules are not to be had.
look_into_initrd() {
    local initrd=$1 version=$2
    if ! command -v cpio >/dev/null; then
        say 'whether the initrd has all the VM takes cannot be told: apt-get install cpio'
        return 1
    fi
    if ! initrd_names "$initrd" >"$work/names" || [ ! -s "$work/names" ]; then
        say 'whether the initrd has all the VM takes cannot be told: it is no archive that can be read'
        return 1
    fi
    prefix=$(grep -m 1 -o -E "^(\./)?(usr/)?lib/modules/$version/" "$work/names") || return 1
    if grep -q -E '(devexists-.*|\.wants/dev-)mapper' "$work/names"; then
        say "the initrd waits for that machine's own volumes: should the guest hang there, make it" \
            'anew in that machine (dracut --force --no-hostonly)'
    fi
}

# complete_initrd INITRD VERSION: append what it lacks, if it lacks anything.
complete_initrd() {
    local initrd=$1 version=$2 modules prefix path lacks=() extra=$work/extra
    find_modules "$version" || return 0
    look_into_kernel
    look_into_initrd "$initrd" "$version" || return 0
    mapfile -t lacks < <(missing_modules)
    if [ "${#lacks[@]}" -gt 0 ]; then
        for path in "${lacks[@]}" $(names "$root_tree" "$modules" | grep '^modules\.'); do
            mkdir -p "$(dirname "$extra/$prefix$path")"
            fetch "$root_tree" "$modules/$path" "$extra/$prefix$path" ||
                die "$modules/$path is named in modules.dep, but not there"
        done
        say "the initrd was made for another machine: added" \
            "$(for path in "${lacks[@]}"; do bare_name "$path"; done | paste -sd ' ') from its modules"
    fi
    # A root= of ours does not undo what such an initrd knows of the old root.
    if [ "${volume_type[root]}" != "$root_type" ] && grep -q 'etc/cmdline\.d/.*conf' "$work/names"; then
        mkdir -p "$extra/etc/cmdline.d"
        echo " rootfstype=$root_type rootflags=" >"$extra/etc/cmdline.d/99-vm-report.conf"
    fi
    [ -d "$extra" ] || return 0
    truncate -s %4 "$initrd"
    (cd "$extra" && chmod -R u=rwX,go=rX . &&
        find . -mindepth 1 -printf '%P\n' | LC_ALL=C sort |
        cpio --create --quiet --format=newc --owner=0:0 >>"$initrd")
    rm -rf "$extra"
}
