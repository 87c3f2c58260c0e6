"""Pieces of kernels' logs, as ``dmesg --raw`` prints them."""

import re

# A real boot of the quick guest, with what most of its 582 initcalls said left out.
DEBIAN_12 = b"""\
<5>[    0.000000] Linux version 6.1.0-56-cloud-amd64
<6>[    0.000451] clocksource: tsc-early: mask: 0xffffffffffffffff
<6>[    0.693803] smpboot: CPU0: AMD QEMU Virtual CPU version 2.5+
<7>[    0.726101] calling  trace_init_flags_sys_enter+0x0/0x13 @ 1
<7>[    0.726115] initcall trace_init_flags_sys_enter+0x0/0x13 returned 0 after 0 usecs
<7>[    1.239861] calling  init_kprobe_trace+0x0/0x176 @ 1
<7>[    2.068204] initcall init_kprobe_trace+0x0/0x176 returned 0 after 828331 usecs
<7>[    2.596033] probe of cpu0 returned 0 after 8108 usecs
<7>[    2.661207] probe of PNP0103:00 returned 19 after 4459 usecs
<7>[    4.288422] calling  crypto_algapi_init+0x0/0x7e @ 1
<6>[    5.070778] tsc: Refined TSC clocksource calibration: 2596.140 MHz
<7>[    5.368603] initcall crypto_algapi_init+0x0/0x7e returned 0 after 1080160 usecs
<6>[    5.479097] Freeing unused decrypted memory: 2036K
<6>[    5.825771] Freeing unused kernel image (initmem) memory: 2612K
<6>[    5.879569] Run /init as init process
<7>[    6.688083] calling  virtio_pci_init+0x0/0x1000 [virtio_pci] @ 84
<7>[    7.169695] probe of 0000:00:03.0 returned 0 after 481319 usecs
<7>[    7.169960] initcall virtio_pci_init+0x0/0x1000 [virtio_pci] returned 0 after 481738 usecs
<30>[    8.957396] systemd[1]: Queued start job for default target multi-user.target.
"""

# As recent kernels say it, with the caller of each line.
LEVELS = b"""\
<5>[    0.000000][    T0] Linux version 6.16.0
<7>[    0.100000][    T1] entering initcall level: early
<7>[    0.110000][    T1] calling  a_init+0x0/0x10 @ 1
<7>[    0.115000][    T1] initcall a_init+0x0/0x10 returned 0 after 5000 usecs
<7>[    0.200000][    T1] entering initcall level: device
<7>[    0.500000][    T1] calling  b_init+0x0/0x10 @ 1
<7>[    0.900000][    T1] initcall b_init+0x0/0x10 returned -19 after 400000 usecs
<6>[    1.000000][    T1] Freeing unused kernel image (initmem) memory: 2612K
"""

_RAW = re.compile(rb"<(\d+)>\[ *(\d+)\.(\d+)\](?:\[ *T\d+\])? ")


def as_kmsg(log: bytes) -> bytes:
    """Return a log as ``/dev/kmsg`` has it."""
    return _RAW.sub(lambda found: b"%s,9,%d,-;" % (found[1], int(found[2] + found[3])), log)
