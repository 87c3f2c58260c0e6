"""How each setting is given on the command line: what a complaint calls it."""

from collections.abc import Mapping

FLAGS: Mapping[str, str] = {
    "number": "-n/--number",
    "memory_mib": "-m/--memory",
    "prefix": "-p/--prefix",
    "suffix": "-s/--suffix",
    "vmdir": "-v/--vmdir",
    "kernel": "-k/--kernel",
    "initrd": "-i/--initrd",
    "qemu": "-q/--qemu",
    "timeout_s": "--timeout",
    "stagger_s": "--stagger",
    "shutdown_timeout_s": "--shutdown-timeout",
} | {
    name: f"--{name.replace('_', '-')}"
    for name in (
        "accel",
        "smp",
        "start",
        "parallel",
        "rate",
        "persist",
        "append",
        "base",
        "boot",
        "inject",
        "machine",
        "cpu",
        "after_report",
        "end",
        "force",
        "format",
        "allow_backing",
        "allow_device",
        "run_as",
        "kernel_detail",
    )
}
