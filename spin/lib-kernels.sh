# shellcheck shell=bash disable=SC2154,SC2034
# The kernels an image has, and the one to take.
#
# They are found where distributions keep them: Boot Loader Specification entries (loader/entries),
# unified kernel images (EFI/Linux/*.efi), vmlinuz-VERSION beside its initrd, usr/lib/modules.
# Sourced by spin-from-raw.sh, whose die, say, run and $work it uses.

kernel_version=() kernel_tree=() kernel_path=() kernel_initrds=() kernel_kind=() kernel_rescue=()

add_kernel() {
    local version=$1 tree=$2 path=${3#/} initrds=$4 kind=$5 title=${6-} i rescue=no
    for i in "${!kernel_path[@]}"; do
        [ "${kernel_tree[i]}:${kernel_path[i]}" != "$tree:$path" ] || return 0
    done
    case ${version,,}${title,,}${path,,} in *rescue* | *recovery*) rescue=yes ;; esac
    kernel_version+=("$version") kernel_tree+=("$tree") kernel_path+=("$path")
    kernel_initrds+=("$initrds") kernel_kind+=("$kind") kernel_rescue+=("$rescue")
}

# scan_for_kernels TREE FOLDER: FOLDER is where that file system keeps boot files.
scan_for_kernels() {
    local tree=$1 folder=$2 name
    scan_entries "$tree" "$folder"
    for name in EFI/Linux efi/linux EFI/LINUX .; do
        scan_unified "$tree" "${folder:+$folder/}$name"
    done
    scan_plain "$tree" "$folder"
}

# Entries name their files from the top of their own file system.
scan_entries() {
    local tree=$1 folder=${2:+$2/}loader/entries entry key value linux version title initrds
    while read -r entry; do
        [[ $entry == *.conf ]] || continue
        linux='' version='' title='' initrds=''
        while read -r key value; do
            case $key in
                linux | uki) linux=${value%%[[:space:]]*} ;;
                version) version=$value ;;
                title) title=$value ;;
                # GRUB's own additions begin with a dollar sign.
                initrd) for value in $value; do [[ $value == \$* ]] || initrds+=" ${value#/}"; done ;;
            esac
        done < <(text "$tree" "$folder/$entry" | tr -d '\r'; echo)
        { [ -n "$linux" ] && has "$tree" "$linux"; } || continue
        if [[ ${linux,,} == *.efi && -z $initrds ]]; then
            add_unified "$tree" "$linux" "$version" "$title"
        else
            add_kernel "${version:-${entry%.conf}}" "$tree" "$linux" "$initrds" plain "$title $entry"
        fi
    done < <(names "$tree" "$folder")
}

scan_unified() {
    local tree=$1 folder=$2 name
    while read -r name; do
        case ${name,,} in *.efi | *.uki) add_unified "$tree" "${folder#./}/$name" '' '' ;; esac
    done < <(names "$tree" "$folder")
}

# section FILE NAME TARGET: take one section out of a unified kernel image.
section() {
    command -v objcopy >/dev/null ||
        die "there is a unified kernel image; to take it apart: apt-get install binutils"
    rm -f "$3"
    objcopy -O binary --only-section="$2" "$1" "$3" 2>/dev/null &&
        [ -s "$3" ]
}

# Other EFI programs (boot loaders, shells) have no .linux section and are passed over.
add_unified() {
    local tree=$1 path=$2 version=$3 title=$4
    fetch "$tree" "$path" "$work/uki" || return 0
    if section "$work/uki" .linux "$work/uki.linux"; then
        if section "$work/uki" .uname "$work/uki.uname"; then
            version=$(tr -d '\0\n' <"$work/uki.uname")
        fi
        path=${path//\/.\//\/}
        : "${version:=$(basename "${path%.*}")}"
        add_kernel "$version" "$tree" "${path#./}" '' unified "$title"
    fi
    rm -f "$work"/uki*
}

scan_plain() {
    local tree=$1 folder=$2 list name version initrd
    list=$(names "$tree" "$folder")
    while read -r name; do
        case $name in
            *.efi | *.uki | *.old | *.hmac | *.sig | *.signed) continue ;;
            vmlinuz-* | vmlinux-* | Image-* | bzImage-* | kernel-*) version=${name#*-} ;;
            *) continue ;;
        esac
        initrd=$(for initrd in "initrd.img-$version" "initramfs-$version.img" "initrd-$version" \
            "initrd-$version.img" "initramfs-$version"; do
            ! grep -qxF -- "$initrd" <<<"$list" || { echo "$initrd"; break; }
        done)
        add_kernel "$version" "$tree" "${folder:+$folder/}$name" "${initrd:+${folder:+$folder/}$initrd}" plain
    done <<<"$list"
    # A folder with one kernel may give it no version at all.
    if [ "${#kernel_path[@]}" = 0 ] && [ "$(kind "$tree" "${folder:+$folder/}vmlinuz")" = file ]; then
        initrd=$(grep -x -m 1 -e 'initrd\.img' -e initrd -e 'initramfs\.img' <<<"$list") || true
        add_kernel unversioned "$tree" "${folder:+$folder/}vmlinuz" "${initrd:+${folder:+$folder/}$initrd}" plain
    fi
}

# Kernels kept beside their modules (Fedora, mkosi, image-based systems).
scan_modules() {
    local tree=$1 folder=$2 version initrd found
    while read -r version; do
        has "$tree" "$folder/$version/vmlinuz" || continue
        found=
        for initrd in initrd initramfs.img initrd.img; do
            ! has "$tree" "$folder/$version/$initrd" || found=$folder/$version/$initrd
        done
        add_kernel "$version" "$tree" "$folder/$version/vmlinuz" "$found" plain
    done < <(names "$tree" "$folder")
}

# Version sort puts letters after digits, so 427.el9 after 427.13.1.el9 and -rc1 after the release;
# what begins with a tilde sorts before even the end of the line.
sort_key() { sed -e 's/\.\([a-z]\)/~\1/g' -e 's/-rc/~rc/g' <<<"$1"; }

list_kernels() {
    local i
    for i in "${!kernel_path[@]}"; do
        printf '  %s (%s%s%s)\n' "${kernel_version[i]}" "${kernel_path[i]}" \
            "$([ "${kernel_rescue[i]}" = no ] || echo ', rescue')" \
            "$([ "${kernel_kind[i]}${kernel_initrds[i]}" != plain ] || echo ', without an initrd')"
    done
}

# choose_kernel [VERSION]: sets $kernel, the number of the newest that is no rescue kernel and has
# an initrd, or of the one asked for.
choose_kernel() {
    local asked=${1-} i matching
    [ "${#kernel_path[@]}" -gt 0 ] || die "$raw has no kernel: none in /boot, in an EFI system" \
        "partition or in /usr/lib/modules (an image of a container?)"
    matching=$(for i in "${!kernel_path[@]}"; do
        if [ -n "$asked" ]; then
            [ "${kernel_version[i]}" = "$asked" ] || continue
        else
            [ "${kernel_rescue[i]}" = no ] || continue
        fi
        [ "${kernel_kind[i]}${kernel_initrds[i]}" != plain ] || continue
        printf '%s\t%s\n' "$(sort_key "${kernel_version[i]}")" "$i"
    done | sort -t $'\t' -k1,1V -k2,2nr | tail -n 1)
    [ -n "$matching" ] || die "$(
        if [ -n "$asked" ]; then echo "there is no kernel $asked with an initrd"
        else echo "none of the kernels is fit to boot (rescue kernels are not taken unasked)"; fi
    ); the image has:"$'\n'"$(list_kernels)"
    kernel=${matching##*$'\t'}
}

# take_kernel NUMBER FOLDER: leaves FOLDER/vmlinuz and FOLDER/initrd.
take_kernel() {
    local i=$1 folder=$2 tree=${kernel_tree[$1]} initrd
    mkdir -p "$folder"
    if [ "${kernel_kind[i]}" = unified ]; then
        fetch "$tree" "${kernel_path[i]}" "$work/uki"
        section "$work/uki" .linux "$folder/vmlinuz"
        section "$work/uki" .initrd "$folder/initrd" ||
            die "the unified kernel image ${kernel_path[i]} has no initrd inside"
        rm -f "$work/uki"
    else
        fetch "$tree" "${kernel_path[i]}" "$folder/vmlinuz" ||
            fetch "$root_tree" "usr/lib/modules/${kernel_version[i]}/vmlinuz" "$folder/vmlinuz" ||
            die "the kernel ${kernel_path[i]} cannot be read"
        # Several are one after another, as a boot loader hands them over.
        for initrd in ${kernel_initrds[i]}; do
            fetch "$tree" "$initrd" "$work/initrd" || die "the initrd $initrd is named but not there"
            cat "$work/initrd" >>"$folder/initrd"
            truncate -s %4 "$folder/initrd"
        done
        rm -f "$work/initrd"
    fi
    { [ -s "$folder/vmlinuz" ] && [ -s "$folder/initrd" ]; } ||
        die "the kernel ${kernel_version[i]} or its initrd is empty; --kernel-version takes another"
    chmod 0644 "$folder/vmlinuz" "$folder/initrd"
}
