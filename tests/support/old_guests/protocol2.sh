#!/bin/sh
# Report to vm-timing-report on the host that this guest has booted, then power off.
#
# The first line is written the moment the boot has ended: it is what the host times. What takes
# longer to find out (systemd's stamps, slow and failed units) follows as `key=value` lines and
# sections, closed by `[end]`. The port is closed in between, so the host sees the first write apart.
#
# POSIX sh; needs neither bash, D-Bus nor udev.

port_name=serial0
serial_file=/sys/class/dmi/id/product_serial

find_id() {
    id=
    read -r cmdline </proc/cmdline
    for word in $cmdline; do
        case $word in VMREPORTID*) id=$word ;; esac
    done
    # Nobody can give arguments to a kernel that the image's own loader boots: there the machine's
    # serial number holds the id.
    if [ -z "$id" ] && [ -r "$serial_file" ]; then
        read -r serial <"$serial_file"
        case $serial in VMREPORTID*) id=$serial ;; esac
    fi
}

# Without udev there are no names below /dev/virtio-ports.
find_port() {
    port=/dev/virtio-ports/$port_name
    [ -e "$port" ] && return 0
    for name_file in /sys/class/virtio-ports/*/name; do
        [ -r "$name_file" ] || continue
        read -r name <"$name_file"
        [ "$name" = "$port_name" ] || continue
        port=${name_file%/name}
        port=/dev/${port##*/}
        [ -c "$port" ] && return 0
    done
    return 1
}

boot_has_finished() {
    finish=$(systemctl show --property=FinishTimestampMonotonic 2>/dev/null)
    case ${finish#*=} in '' | 0) return 1 ;; esac
}

# systemd wakes us by a signal; only one too old for --wait (before 240) is asked now and then.
# There is no limit: a boot that never ends must not be reported as one that did.
wait_for_end_of_boot() {
    [ -d /run/systemd/system ] || return 0
    systemctl is-system-running --wait >/dev/null 2>&1
    until boot_has_finished; do
        sleep 0.5
    done
}

# CLOCK_MONOTONIC in microseconds: to the nanosecond where the kernel tells, else /proc/uptime.
sample_clock() {
    clock=
    if [ -r /proc/timer_list ]; then
        while read -r first second third rest; do
            [ "$first $second" = 'now at' ] && clock=$third && break
        done </proc/timer_list
    fi
    if [ -n "$clock" ]; then
        clock_us=${clock%???}
        resolution_us=1
    else
        read -r uptime rest </proc/uptime
        clock_us=${uptime%.*}${uptime#*.}0000
        resolution_us=10000
    fi
}

first_line_of_analysis() {
    systemd-analyze 2>/dev/null || uptime
}

details() {
    echo protocol=2
    echo "clock_us=$clock_us"
    echo "clock_resolution_us=$resolution_us"
    read -r release </proc/sys/kernel/osrelease && echo "kernel_release=$release"
    systemctl show --property=Version,SystemState,FirmwareTimestampMonotonic \
        --property=LoaderTimestampMonotonic,KernelTimestampMonotonic \
        --property=InitRDTimestampMonotonic,UserspaceTimestampMonotonic \
        --property=FinishTimestampMonotonic 2>/dev/null
    echo '[slowest]'
    systemd-analyze --no-pager blame 2>/dev/null | head -n 20
    echo '[failed]'
    systemctl --failed --plain --no-legend --no-pager 2>/dev/null | while read -r unit rest; do
        echo "$unit"
    done
    echo '[critical-chain]'
    systemd-analyze --no-pager critical-chain 2>/dev/null | head -n 40
    echo '[end]'
}

find_id
wait_for_end_of_boot
tries=0
until find_port || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
if [ ! -c "$port" ]; then
    # Nobody is timing this boot: it is an ordinary one, whose machine stays up.
    [ -n "$id" ] || exit 0
    echo "vm-report: no virtio-serial port named $port_name: cannot report" >/dev/console
    systemctl poweroff 2>/dev/null || poweroff
    exit 1
fi
analysis=$(first_line_of_analysis)
sample_clock
printf '%s|||%s\n' "$id" "${analysis%%
*}" >"$port"
details >"$port"
sync
sleep 3
systemctl poweroff 2>/dev/null || poweroff
