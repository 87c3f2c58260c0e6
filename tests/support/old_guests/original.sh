#!/bin/sh
# A guest as those of the original tool are: it tells what systemd-analyze says, once that says
# something, waits for nobody, and never reads the port.

report_id=
read -r arguments </proc/cmdline
for argument in $arguments; do
    case $argument in VMREPORTID*) report_id=$argument ;; esac
done

until told=$(systemd-analyze 2>/dev/null); do
    sleep 1
done
for name in /sys/class/virtio-ports/*/name; do
    read -r found <"$name"
    [ "$found" = serial0 ] || continue
    name=${name%/name}
    printf '%s|||%s\n' "$report_id" "$told" >"/dev/${name##*/}"
done
sync
sleep 3
systemctl poweroff || poweroff
