#!/bin/sh
# Report to vm-timing-report on the host that this guest has booted, and end as the host wants it.
#
# What the host times is the first write, `VMREPORTID:<i>|||`: it leaves the moment the boot has
# ended. What takes longer to find out (systemd's sentence and stamps, the units) follows when the
# host says so. Till then this waits in a blocking read, and uses no CPU. A host whose kernel command
# line does not ask for that is told all at once, and the machine powers off 3 seconds later.
#
# POSIX sh; needs neither bash, D-Bus nor udev.

port_name=serial0
dmi=/sys/class/dmi/id
# For sed: of a dump of all units, the names of those that have such a stamp.
ran='/^[^ ]* Unit /{s/^[^ ]* Unit //;s/:$//;h;}
/^[[:blank:]]*Inactive Exit Timestamp: [^n]/{g;p;}'

# Nobody can give arguments to a kernel that the image's own loader boots: there the machine's
# serial number holds the id, and its family the protocol.
find_id() {
    id=''
    protocol=''
    read -r cmdline </proc/cmdline
    for word in $cmdline; do
        case $word in
            VMREPORTID*) id=$word ;;
            vmreport.protocol=*) protocol=${word#*=} ;;
        esac
    done
    if [ -z "$id" ] && [ -r "$dmi/product_serial" ]; then
        read -r word <"$dmi/product_serial"
        case $word in VMREPORTID*) id=$word ;; esac
        if [ -n "$id" ] && [ -z "$protocol" ] && [ -r "$dmi/product_family" ]; then
            read -r word <"$dmi/product_family"
            case $word in vmreport.protocol=*) protocol=${word#*=} ;; esac
        fi
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

# systemd wakes us by a signal, and says in the same breath that its boot has finished; one too old
# for --wait (before 240), or in an emergency, is asked now and then. There is no limit: a boot that
# never ends must not be reported as one that did.
wait_for_end_of_boot() {
    is_systemd=
    [ -d /run/systemd/system ] || return 0
    is_systemd=yes
    until
        case $(systemctl is-system-running --wait 2>/dev/null) in
            running | degraded) : ;;
            *) boot_has_finished ;;
        esac
    do
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
        hundredths=${uptime#*.}
        clock_us=$((${uptime%.*} * 1000000 + ${hundredths#0} * 10000))
        resolution_us=10000
    fi
}

ask_manager() {
    manager=$(systemctl show --property=Version,SystemState,FirmwareTimestampMonotonic \
        --property=LoaderTimestampMonotonic,KernelTimestampMonotonic \
        --property=InitRDTimestampMonotonic,UserspaceTimestampMonotonic \
        --property=FinishTimestampMonotonic 2>/dev/null)
}

# Sets `text` to microseconds as systemd writes them, to the millisecond.
span() {
    ms=$(($1 / 1000))
    text=
    [ "$ms" -lt 60000 ] || text="$((ms / 60000))min "
    ms=$((ms % 60000))
    if [ "$ms" -lt 1000 ]; then
        text=$text${ms}ms
    else
        fraction=00$((ms % 1000))
        text=$text$((ms / 1000)).${fraction#"${fraction%???}"}s
    fi
}

add_part() {
    [ "$1" -gt 0 ] || return 0
    span "$1"
    sentence="$sentence${sentence:+ + }$text ($2)"
}

# What `systemd-analyze` says, from the manager's stamps: that program alone costs a guest that QEMU
# emulates as much as asking systemd for all of them.
make_sentence() {
    firmware=0 loader=0 initrd=0 userspace=0 finish=0
    while IFS='=' read -r key value; do
        case $key in
            FirmwareTimestampMonotonic) firmware=$value ;;
            LoaderTimestampMonotonic) loader=$value ;;
            InitRDTimestampMonotonic) initrd=$value ;;
            UserspaceTimestampMonotonic) userspace=$value ;;
            FinishTimestampMonotonic) finish=$value ;;
        esac
    done <<END
$manager
END
    sentence=
    add_part $((firmware - loader)) firmware
    add_part "$loader" loader
    if [ "$initrd" -gt 0 ]; then
        add_part "$initrd" kernel
        add_part $((userspace - initrd)) initrd
    else
        add_part "$userspace" kernel
    fi
    add_part $((finish - userspace)) userspace
    span $((firmware + finish))
    sentence="Startup finished in $sentence = $text"
}

# The units that ever began to start; without `order` only those whose start takes time of its own.
# To show one costs an emulated guest 20 ms and more, and most of those that systemd knows never
# ran: its dump tells them from the others, in a tenth of what it costs to show them all.
find_units() {
    units=
    for unit in $(systemd-analyze dump 2>/dev/null | sed -n "$ran"); do
        case $order,$unit in
            ,*.service | ,*.mount | ,*.swap | ,*.device | order,*) units="$units $unit" ;;
        esac
    done
}

show_units() {
    systemctl show --property="Id,Names,ActiveState,SubState,Result${order:+,After}" \
        --property=InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic \
        --property=ActiveExitTimestampMonotonic,InactiveEnterTimestampMonotonic \
        -- "$@" 2>/dev/null
}

# Lines of a message that has several are left out, as they could be anything. The rest of what a
# guest tells has its room, too.
tell_kernel() {
    printf '%s\n' '[kernel]'
    { dmesg -r || dd if=/dev/kmsg bs=8192 iflag=nonblock; } 2>/dev/null |
        sed -n '/^[<0-9]/p' | head -c 3000000
    echo
}

# What is known of the boot, as properties; with `order` also what each unit is started after.
tell_details() {
    order=$1
    printf '%s\n' protocol=3 "clock_us=$report_us" "clock_resolution_us=$resolution_us"
    read -r release </proc/sys/kernel/osrelease && printf '%s\n' "kernel_release=$release"
    printf '%s\n' "kernel_command_line=$cmdline"
    if [ -n "$manager" ]; then
        printf '%s\n' "$manager" '[units]'
        find_units
        # shellcheck disable=SC2086  # no unit's name has a blank
        if [ -n "$units" ]; then show_units $units; else show_units '*'; fi
    fi
    [ -z "$with_kernel" ] || tell_kernel
    sample_clock
    printf '%s\n' "gathering_us=$((clock_us - begun_us))" '[end]'
}

# The signal starts poweroff.target, as systemctl does, and no program (systemd(1), SIGNALS).
power_off() {
    [ -n "$is_systemd" ] && kill -s RTMIN+4 1 2>/dev/null && return
    systemctl poweroff </dev/null >/dev/null 2>&1 || poweroff
}

# What the first line says.
find_sentence() {
    manager=
    [ -z "$is_systemd" ] || ask_manager
    if [ -n "$manager" ]; then make_sentence; else sentence=$(uptime); fi
}

# As the original's guests do: nobody is waited for.
go_own_way() {
    sample_clock
    report_us=$clock_us
    begun_us=$clock_us
    with_kernel=
    printf '%s|||%s\n' "$id" "$sentence"
    tell_details order
    sync
    sleep 3
    power_off
}

# Words of a later host are passed over. A host that goes away leaves nothing to wait for.
obey_host() {
    sample_clock
    report_us=$clock_us
    with_kernel=
    printf '%s|||' "$id"
    while read -r word argument; do
        case $word in
            kernel) with_kernel=yes ;;
            details)
                sample_clock
                begun_us=$clock_us
                find_sentence
                printf '%s\n' "$sentence"
                tell_details "$argument"
                ;;
            poweroff)
                # SIGRTMIN+20: systemd is to say on the console what it stops, `quiet` or not; with
                # `quiet` it still lets 25 seconds pass till it says what it waits for.
                # dash has no such name.
                [ -z "$is_systemd" ] || kill -54 1 2>/dev/null
                power_off
                return
                ;;
        esac
    done
    sleep 3
    power_off
}

# The port is opened once, for reading and writing. QEMU tells the host when, and the report is not
# older than that: so what takes time comes before it or after the report.
report() {
    if [ "$protocol" = 3 ]; then obey_host; else go_own_way; fi
}

find_id
find_port
wait_for_end_of_boot
tries=0
until [ -c "$port" ] || find_port || [ "$tries" -ge 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
if [ ! -c "$port" ]; then
    # Nobody is timing this boot: it is an ordinary one, whose machine stays up.
    [ -n "$id" ] || exit 0
    echo "vm-report: no virtio-serial port named $port_name: cannot report" >/dev/console
    power_off
    exit 1
fi
# The original reads once, and wants the line whole in that.
[ "$protocol" = 3 ] || find_sentence
report <>"$port" >&0 || power_off
