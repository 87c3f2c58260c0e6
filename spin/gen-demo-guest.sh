#!/usr/bin/env bash
# Build the demo guest: a small real Debian with systemd, its kernel and a lean initrd.
#
#   gen-demo-guest.sh [--variant demo|quick] [--suite SUITE] OUTDIR
#
# leaves OUTDIR/rootfs.img (ext4 on the whole disk, sparse) and OUTDIR/BFILES/{vmlinuz,initrd}.
# SUITE is the host's own unless said otherwise.
#
# Why so: mmdebstrap makes a Debian from the host's own package sources in one pass, as root or,
# for others, in a user namespace; mke2fs -d fills a file system without mounting it. So no loop
# device, no mount and no daemon is involved, and nothing can be left behind but one folder, which
# the trap removes. OUTDIR gets its name only when all of it is whole.
#
# The initrd holds a static busybox and the few modules between the kernel and /dev/vda. It hands
# systemd the moment it began in the way systemd hands on its own state, so that systemd-analyze
# tells kernel, initrd and userspace apart as it does with a systemd in the initrd.
#
# What is written to the console shows how far a boot is, and costs a guest without KVM some 0.1 ms a
# byte: the initrd says when it begins and ends, and systemd names the units that it starts, without
# colours and descriptions.
set -euo pipefail
export PATH=$PATH:/sbin:/usr/sbin

die() { printf 'gen-demo-guest: %s\n' "$*" >&2; exit 1; }
say() { printf 'gen-demo-guest: %s\n' "$*"; }

assets=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/../assets" && pwd)
modules=(virtio_pci virtio_blk virtio_console pvpanic_pci)

# Beside what every Debian has (mmdebstrap's variant `essential`, set up before anything else).
packages_of() {
    printf '%s,' systemd-sysv dbus udev kmod login mount passwd busybox-static
    case $1 in
        demo) echo cron,rsyslog,iproute2,procps ;;
        quick) echo procps ;;
    esac
}

# --- inside mmdebstrap's hook: the finished root is in $root -------------------------------------

mask() {
    local unit
    for unit; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
}

# What a first boot would do, done now: a fresh machine id, the journal and the indexes that systemd
# makes anew where /etc/.updated is not as new as /usr cost a TCG guest seconds.
configure_root() {
    echo vmtiming-demo >"$root/etc/hostname"
    printf '/dev/vda / ext4 defaults,noatime 0 0\n' >"$root/etc/fstab"
    head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$root/etc/machine-id"
    echo >>"$root/etc/machine-id"
    mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/systemd/system-generators"
    printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=4M\n' \
        >"$root/etc/systemd/journald.conf.d/demo.conf"
    mkdir -p "$root/etc/systemd/system.conf.d"
    [ "$variant" = quick ] || printf '[Manager]\nShowStatus=yes\nStatusUnitFormat=name\n' \
        >"$root/etc/systemd/system.conf.d/demo.conf"
    install -m 0755 "$assets/vm-report.sh" "$root/usr/bin/vm-report"
    install -m 0644 "$assets/vm-report.service" "$root/lib/systemd/system/vm-report.service"
    ln -sf /lib/systemd/system/vm-report.service \
        "$root/etc/systemd/system/multi-user.target.wants/vm-report.service"
    ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    mask getty@tty1.service serial-getty@ttyS0.service getty-static.service \
        systemd-random-seed.service systemd-update-utmp.service systemd-pstore.service \
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
        e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer systemd-firstboot.service \
        systemd-update-utmp-runlevel.service systemd-remount-fs.service modprobe@.service \
        systemd-udev-load-credentials.service systemd-hostnamed.socket \
        dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
        sys-fs-fuse-connections.mount sys-kernel-config.mount kmod-static-nodes.service
    local generator
    for generator in cryptsetup debug getty gpt-auto hibernate-resume rc-local run system-update \
        sysv veritysetup integritysetup; do
        ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
    done
    if [ "$variant" = quick ]; then
        mask systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
            systemd-udev-trigger.service systemd-logind.service dbus.service dbus.socket \
            systemd-sysctl.service systemd-sysusers.service systemd-modules-load.service \
            systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup-dev-early.service \
            systemd-journal-flush.service \
            systemd-ask-password-wall.path systemd-ask-password-console.path \
            systemd-binfmt.service systemd-user-sessions.service
    else
        # Coldplug replays every device of the machine to udev: half of a TCG boot. The initrd has
        # loaded the drivers this guest needs, so udevd runs and sees what is plugged in later.
        mask systemd-udev-trigger.service
    fi
}

write_init() {
    cat <<'INIT'
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
while read -r first second third rest; do
    [ "$first $second" = 'now at' ] && began=$third && break
done </proc/timer_list
/bin/busybox mount -t devtmpfs dev /dev
echo 'Loading, please wait...' >/dev/console
while read -r module; do
    /bin/busybox insmod "/modules/$module"
done </modules/order
read -r cmdline </proc/cmdline
root=/dev/vda
for word in $cmdline; do
    case $word in root=*) root=${word#root=} ;; esac
done
tries=0
until [ -b "$root" ] || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    /bin/busybox sleep 0.1
done
/bin/busybox mount -t ext4 -o rw,noatime "$root" /root || exit 1
/bin/busybox mount --move /dev /root/dev
# The key and the two clocks (wall, monotonic; microseconds) as systemd writes its own state down.
echo "initrd-timestamp=$(/bin/busybox date +%s)000000 ${began%???}" >/state
/bin/busybox umount /proc
echo 'Switching root.' >/root/dev/console
exec 3</state
export SYSTEMD_COLORS=0
exec /bin/busybox switch_root /root /sbin/init --switched-root --system --deserialize 3
INIT
}

# The kernel and its modules, unpacked and no more: installed it would bring the tools that make an
# initrd, and have them make one. apt finds the packages: Debian 12 and 13 have all in linux-image-*,
# Ubuntu the modules apart; Debian 14 has them apart too, the kernel in linux-binary-*, beside the
# modules, and the rest in linux-base-*.
unpack_kernel() {
    local archives=$root/var/cache/apt/archives package
    APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes -q --no-install-recommends --download-only \
        install "$(kernel_package)"
    for package in "$archives"/linux-{image,binary,modules,base}-*.deb; do
        [ -e "$package" ] || continue
        dpkg-deb --fsys-tarfile "$package" |
            tar -C "$root" -x --keep-directory-symlink --exclude='./usr/share/*'
    done
    kernel_version=$(basename "$root"/lib/modules/*)
    depmod -b "$root" "$kernel_version"
}

# busybox's insmod takes modules as they are; newer suites compress them.
plain() {
    case $1 in
        *.xz) xz -dc "$1" ;;
        *.zst) zstd -qdc "$1" ;;
        *) cat "$1" ;;
    esac
}

make_initrd() {
    local tree=$root.tree path module
    mkdir "$tree"
    mkdir -p "$tree"/{bin,dev,proc,root,modules}
    : >"$tree/modules/order"
    cp "$root/bin/busybox" "$tree/bin/"
    for module in "${modules[@]}"; do
        # Without pvpanic the guest is as it should be, but that a panic is not told apart.
        modprobe -d "$root" -S "$kernel_version" --show-depends "$module" ||
            [ "$module" = pvpanic_pci ]
    done | while read -r word path _; do
        [ "$word" = insmod ] || continue
        module=${path##*/}
        module=${module%.ko*}.ko
        grep -qx "$module" "$tree/modules/order" && continue
        plain "$path" >"$tree/modules/$module"
        echo "$module" >>"$tree/modules/order"
    done
    write_init >"$tree/init"
    chmod 0755 "$tree/init"
    (cd "$tree" && find . -mindepth 1 | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$1"
}

inside_clean_up() {
    ! mountpoint -q "$root.view" || umount "$root.view"
    rm -rf --one-file-system "$root.out" "$root.tree" "$root.view"
}

inside() {
    root=$1
    clean_up_at_the_end inside_clean_up
    configure_root
    unpack_kernel
    mkdir "$root.out"
    make_initrd "$root.out/initrd"
    find "$root/boot" "$root/lib/modules/" -name 'vmlinuz*' -exec cp {} "$root.out/vmlinuz" \;
    [ -s "$root.out/vmlinuz" ] || die 'the kernel package holds no vmlinuz'
    rm -rf "${root:?}"/boot/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
    touch -r "$root/usr" "$root/etc/.updated" "$root/var/.updated"
    # A plain bind mount shows the tree without the /proc, /sys and /dev mounted inside it.
    mkdir "$root.view"
    mount --bind "$root" "$root.view"
    local size
    size=$(($(du -s --block-size=1M "$root.view" | cut -f1) * 5 / 4 + 64))
    mke2fs -q -t ext4 -d "$root.view" -L demo-root -b 4096 -E lazy_itable_init=1 -O ^has_journal \
        "$root.out/rootfs.img" "${size}M" >/dev/null
    umount "$root.view"
    mv "$root.out" "$root/out"
}

# --- outside -------------------------------------------------------------------------------------

build() {
    local out=$1 started=$SECONDS
    [ ! -e "$out" ] || die "$out is there already; remove it or name another folder"
    need_tools mmdebstrap mke2fs cpio modprobe depmod xz zstd
    mkdir -p "$(dirname "$out")"
    clean_up_at_the_end clean_up
    work=$out.$$.$EPOCHREALTIME
    mkdir "$work" "$work/BFILES"
    say "building the '$variant' guest (a minute or so, mostly unpacking packages) ..."
    DEMO_VARIANT=$variant make_debian --variant=essential \
        --include="$(packages_of "$variant")" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --customize-hook="bash '${BASH_SOURCE[0]}' --inside \"\$1\"" \
        --customize-hook="copy-out /out/rootfs.img '$work'" \
        --customize-hook="copy-out /out/vmlinuz /out/initrd '$work/BFILES'"
    fallocate --dig-holes "$work/rootfs.img"
    chmod 0755 "$work"
    mv -T "$work" "$out"
    say "done in $((SECONDS - started)) s: $out"
}

variant=${DEMO_VARIANT:-demo}
# shellcheck source=spin/lib-debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib-debian.sh"

usage='usage: gen-demo-guest.sh [--variant demo|quick] [--suite SUITE] OUTDIR'
while [ "$#" -gt 1 ]; do
    case $1 in
        --inside) inside "$2"; exit ;;
        --variant) variant=$2 ;;
        --suite) suite=$2 ;;
        *) die "$usage" ;;
    esac
    shift 2
done
case $variant in demo | quick) ;; *) die "there is no variant '$variant'; take demo or quick" ;; esac
[ "$#" = 1 ] || die "$usage"
[ -n "$suite" ] || die 'this host is no Debian or Ubuntu: name a --suite'
build "$(realpath -m "$1")"
