#!/usr/bin/env bash
# Build one image of the matrix, in the Debian 13 root and its folder /work: build.sh NAME
#
# What all are made of is made once: /work/tree (a Debian without an initrd), /work/mkosi.initrd and
# /work/tools.initrd (initramfs-tools').
set -euo pipefail

machine_id=0123456789abcdef0123456789abcdef

make_tree() {
    mmdebstrap --variant=minbase --format=dir \
        --include=systemd-sysv,udev,dbus,linux-image-cloud-amd64,initramfs-tools,zstd \
        "$SUITE" /work/tree.new "$SOURCE"
    rm -rf /work/tree.new/{var/cache/apt,var/lib/apt/lists}/*
    echo $machine_id >/work/tree.new/etc/machine-id
    echo matrix >/work/tree.new/etc/hostname
    rm -f /work/tree.new/etc/fstab
    mv /work/tree.new/boot/initrd.img-* /work/tools.initrd
    mv /work/tree.new /work/tree
}

# mkosi's own image; it makes the initrd, too, as mkosi-initrd does for others' images.
make_mkosi() {
    local build=/work/mkosi.build
    mkdir -p $build/mkosi.sandbox/etc/apt/sources.list.d /work/cache
    echo "$SOURCE" >$build/mkosi.sandbox/etc/apt/sources.list.d/mkosi.list
    : >$build/mkosi.sandbox/etc/apt/sources.list.d/mkosi.sources
    printf '%s\n' '[Distribution]' Distribution=debian "Release=$SUITE" \
        '[Output]' Format=disk Output=image \
        '[Content]' Bootable=yes Bootloader=systemd-boot \
        Packages=systemd-sysv,systemd-boot-efi,udev,dbus,linux-image-cloud-amd64 \
        '[Build]' WithNetwork=yes PackageCacheDirectory=/work/cache >$build/mkosi.conf
    (cd $build && mkosi --force build)
    mv $build/image.raw /work/mkosi.raw
    mv $build/image.initrd /work/mkosi.initrd
}

[ -d /work/tree ] || make_tree
version=$(cd /work/tree/usr/lib/modules && echo *)
[ -e /work/mkosi.initrd ] || make_mkosi

name=$1
tree=/work/$name.tree parts=/work/$name.d image=/work/$name.raw
rm -rf "$tree" "$parts" "$image"
mkdir "$parts"
cp -al /work/tree "$tree"

# put PATH <CONTENT: a file of this tree alone; those of others are hard links.
put() {
    rm -f "$tree/$1"
    mkdir -p "$(dirname "$tree/$1")"
    cat >"$tree/$1"
}

# uki CMDLINE [INITRD]: a unified kernel, started by systemd-boot.
uki() {
    mkdir -p "$tree/esp/EFI/Linux" "$tree/esp/EFI/BOOT"
    cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi "$tree/esp/EFI/BOOT/BOOTX64.EFI"
    ukify build --linux="$tree/boot/vmlinuz-$version" --initrd="${2-/work/mkosi.initrd}" \
        --cmdline="$1" --os-release="@$tree/usr/lib/os-release" --uname="$version" \
        --output="$tree/esp/EFI/Linux/debian-$version.efi"
}

# part NUMBER-NAME LINE...: a partition as systemd-repart makes it.
part() {
    local file=$parts/$1.conf
    shift
    { echo '[Partition]'; printf '%s\n' "$@"; } >"$file"
}

esp() { part 00-esp Type=esp Format=vfat CopyFiles=/esp:/ SizeMinBytes=200M SizeMaxBytes=200M; }

repart() {
    local empty=create
    [ ! -e "$image" ] || empty=allow
    # The sectors are those of the FAT, too, which a firmware reads.
    systemd-repart --empty=$empty --size=auto --offline=yes --dry-run=no --sector-size=512 \
        --root="$tree" --definitions="$parts" --json=short "$image"
}

# A deployment, as ostree itself makes it of a tree with dracut's initrd.
make_ostree() {
    local system=$tree.system
    case $name in *-xfs) format=xfs ;; esac
    rm -rf "$system" "$tree"
    mmdebstrap --variant=minbase --format=dir --skip=output/dev \
        --include=systemd-sysv,udev,dbus,linux-image-cloud-amd64,dracut,ostree-boot,ostree \
        "$SUITE" "$system" "$SOURCE"
    echo $machine_id >"$system/etc/machine-id"
    TMPDIR=/tmp chroot "$system" dracut --no-hostonly --add ostree --force \
        "/usr/lib/modules/$version/initramfs.img" "$version"
    mv "$system/boot/vmlinuz-$version" "$system/usr/lib/modules/$version/vmlinuz"
    rm -rf "${system:?}"/boot/* "${system:?}"/var/* "${system:?}"/{home,opt,srv,mnt,root,media,tmp} \
        "${system:?}"/{dev,run}/*
    mv "$system/etc" "$system/usr/etc"
    mkdir "$system/sysroot" "$system/tmp"
    ln -s sysroot/ostree "$system/ostree"
    mkdir "$tree"
    ostree admin init-fs --modern "$tree"
    ostree admin os-init debian --sysroot="$tree"
    ostree config --repo="$tree/ostree/repo" set sysroot.bootloader none
    ostree commit --repo="$tree/ostree/repo" --branch=debian --tree="dir=$system"
    ostree admin deploy --sysroot="$tree" --os=debian --karg=root=LABEL=root --karg=rw \
        --karg=systemd.show_status=no debian
    rm -rf "$system"
}

root_fs=(CopyFiles=/:/ ExcludeFiles=/esp/ MakeDirectories=/esp Minimize=guess)
root_without_usr=(CopyFiles=/:/ ExcludeFiles=/esp/ ExcludeFiles=/usr/ "MakeDirectories=/esp /usr"
    SizeMinBytes=300M)
usr_fs=(Type=usr CopyFiles=/usr:/ Minimize=guess)
console='console=ttyS0 systemd.show_status=no'

# roothash FILE: the hash that systemd-repart tells there.
roothash() { grep -o '"roothash":"[0-9a-f]*"' "$1" | head -n 1 | cut -d'"' -f4; }

case $name in
    mkosi) make_mkosi ;;
    repart-root)
        uki "$console"
        esp
        part 10-root Type=root Format=ext4 "${root_fs[@]}"
        repart
        ;;
    repart-xfs | repart-btrfs)
        uki "$console"
        esp
        part 10-root Type=root "Format=${name#repart-}" "${root_fs[@]}"
        repart
        ;;
    repart-usr-ext4 | repart-usr-erofs | repart-usr-squashfs)
        uki "$console"
        esp
        part 10-root Type=root Format=ext4 "${root_without_usr[@]}"
        part 20-usr "${usr_fs[@]}" "Format=${name#repart-usr-}"
        repart
        ;;
    fstab-usr-home)
        # An installer's: /usr and /home on partitions that only the fstab tells.
        put etc/fstab <<'END'
LABEL=root / ext4 defaults 0 1
LABEL=usr /usr ext4 ro 0 2
LABEL=home /home ext4 defaults 0 2
END
        cp /work/tools.initrd "$tree/boot/initrd.img-$version"
        part 10-root Type=linux-generic Label=root Format=ext4 "${root_without_usr[@]}"
        part 20-usr Type=linux-generic Label=usr Format=ext4 CopyFiles=/usr:/ Minimize=guess
        part 30-home Type=linux-generic Label=home Format=ext4 CopyFiles=/home:/ SizeMinBytes=20M
        repart
        ;;
    home-by-type)
        uki "$console"
        echo kept | put home/file
        esp
        part 10-root Type=root Format=ext4 "${root_fs[@]}" ExcludeFiles=/home/ MakeDirectories=/home
        part 20-home Type=home Format=ext4 CopyFiles=/home:/ SizeMinBytes=20M
        repart
        ;;
    usr-verity | root-verity)
        what=${name%-verity}
        esp
        if [ "$what" = usr ]; then
            part 10-root Type=root Format=ext4 "${root_without_usr[@]}"
            part 20-usr "${usr_fs[@]}" Format=erofs Verity=data VerityMatchKey=x
        else
            part 20-root Type=root Format=erofs "${root_fs[@]}" Minimize=best Verity=data \
                VerityMatchKey=x
        fi
        part 30-verity "Type=$what-verity" Verity=hash VerityMatchKey=x Minimize=best
        # The hash is known when the rest is there; the ESP follows it.
        mv "$parts/00-esp.conf" /work/tmp/
        repart >/work/tmp/told
        mv /work/tmp/00-esp.conf "$parts/40-esp.conf"
        uki "$console ${what}hash=$(roothash /work/tmp/told)"
        repart
        ;;
    usr-alone)
        uki "$console root=tmpfs"
        esp
        part 20-usr "${usr_fs[@]}" Format=erofs
        repart
        ;;
    erofs-overlay)
        uki "$console systemd.volatile=overlay"
        esp
        part 10-root Type=root Format=erofs "${root_fs[@]}" Minimize=best
        repart
        ;;
    loader-entries)
        mkdir -p "$tree/esp/loader/entries" "$tree/esp/debian" "$tree/esp/EFI/BOOT"
        cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi "$tree/esp/EFI/BOOT/BOOTX64.EFI"
        cp "$tree/boot/vmlinuz-$version" "$tree/esp/debian/linux"
        cp /work/tools.initrd "$tree/esp/debian/initrd"
        printf '%s\n' 'title Debian' "version $version" 'linux /debian/linux' \
            'initrd /debian/initrd' "options root=PARTLABEL=root rw $console quiet" \
            'options systemd.machine_id=fedcba9876543210fedcba9876543210' \
            >"$tree/esp/loader/entries/debian.conf"
        esp
        part 10-root Type=root Label=root Format=ext4 "${root_fs[@]}"
        repart
        ;;
    first-boot)
        echo uninitialized | put etc/machine-id
        uki "$console"
        esp
        part 10-root Type=root Format=ext4 "${root_fs[@]}"
        repart
        ;;
    ostree | ostree-xfs)
        make_ostree
        part 10-root Type=linux-generic Label=root "Format=${format:-ext4}" CopyFiles=/:/ \
            Minimize=guess
        repart
        chattr -i "$tree"/ostree/deploy/debian/deploy/*.0
        ;;
    live)
        mkdir -p "$tree/esp/live"
        mksquashfs "$tree" "$tree/esp/live/filesystem.squashfs" -quiet -no-progress -e esp
        esp
        sed -i 's/200M/600M/g' "$parts/00-esp.conf"
        repart
        ;;
    *)
        echo "no image is called $name" >&2
        exit 2
        ;;
esac
rm -rf "$tree" "$parts"
