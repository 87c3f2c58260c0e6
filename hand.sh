set -e
cd /tmp/hand; rm -rf one; mkdir -p one; 
G=/root/.cache/vmtiming-tui/guests/quick-31c7733967cb
sed 's/^    \[ -z "\$with_kernel" \] || tell_kernel/    printf "[slowest]\\n"; systemd-analyze blame --no-pager; printf "[critical-chain]\\n"; systemd-analyze critical-chain --no-pager\n&/' /work/wt/units/assets/vm-report.sh > script.sh
diff script.sh /work/wt/units/assets/vm-report.sh || true
cp --sparse=always $G/rootfs.img one/u-0.img
for c in "rm /usr/bin/vm-report" "write script.sh /usr/bin/vm-report" "sif /usr/bin/vm-report mode 0100755"; do debugfs -w -R "$c" one/u-0.img; done
export XDG_STATE_HOME=/tmp/hand/state XDG_RUNTIME_DIR=/tmp/hand/run; mkdir -p run -m 700
time python -m vmtiming_tui -n 1 -m 340 -p u -s .img -v one -k $G/BFILES/vmlinuz -i $G/BFILES/initrd --accel tcg --json --name one > one.jsonl
