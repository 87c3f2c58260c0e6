"""What it takes to have the kernel's device mapper put logical volumes together in a VM.

The host's own lvm2 does it there, for nobody else knows what each kind's tables are.
"""

from collections.abc import Iterable, Sequence

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.disk.volumes import Volume

# Linear and striped volumes take no more than dm_mod itself (drivers/md/dm-linear.c, dm-stripe.c).
_PLAIN = frozenset({"striped", "linear"})
# The kernel asks for what a RAID is made by at run time, where the VM has nobody to load it.
_RAID = ("raid0", "raid1", "raid10", "raid456", "dm_raid")
_MODULES = {
    "thin": ("dm_thin_pool",),
    "mirror": ("dm_mirror",),
    "raid": _RAID,
    "cache": ("dm_cache", "dm_cache_smq"),
    "writecache": ("dm_writecache",),
    "snapshot": ("dm_snapshot",),
    "integrity": ("dm_integrity",),
    "zero": ("dm_zero",),
    "error": (),
}
# No checkers, for they are not in the VM; no locks, no watching, no notes for a next time.
LVM_CONF = b"""\
devices {
    use_devicesfile = 0
    obtain_device_list_from_udev = 0
    external_device_info_source = "none"
}
global {
    use_lvmlockd = 0
    use_lvmpolld = 0
    event_activation = 0
    thin_check_executable = ""
    cache_check_executable = ""
}
activation {
    udev_sync = 0
    udev_rules = 0
    monitoring = 0
}
backup {
    backup = 0
    archive = 0
}
"""


def modules_for(kinds: Iterable[str]) -> tuple[str, ...]:
    """Return the modules for kinds of segments, in lvm2's words (lvs -o segtype).

    Raises ``ImageError`` for a kind that is not known here.
    """
    found = ["dm_mod"]
    for kind in sorted(set(kinds) - _PLAIN):
        family = "raid" if kind.startswith("raid") else kind.removesuffix("-pool")
        if family not in _MODULES:
            raise ImageError(f"what the kind '{kind}' takes is not known here")
        found += _MODULES[family]
    return tuple(dict.fromkeys(found))


def modules_of(volumes: Sequence[Volume]) -> tuple[str, ...]:
    """Return the modules that put these volumes together, none where none takes any."""
    kinds = [kind for volume in volumes if volume.assembly for kind in volume.assembly.kinds]
    return modules_for(kinds) if kinds else ()
