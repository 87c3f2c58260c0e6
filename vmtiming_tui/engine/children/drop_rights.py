"""What a forked child gives up before it becomes QEMU: rights, limits, most of its environment.

Runs between fork and exec in the warden, so on the standard library's leanest parts. ``powers`` is
what ``Powers.message`` says: ``user`` (uid, gid, groups) or None to stay who we are, ``keep`` to
leave capabilities as they are, ``limits`` by resource number.
"""

import ctypes
import os
import resource

_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522
_LAST_CAPABILITY = 63

# What QEMU, its libraries and a wrapper around it look at; a secret is in none of them. A path for
# libraries or modules is the user's own choice of what to run, like the program itself.
_KEPT = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR",
    "DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "LD_LIBRARY_PATH",
    "GLIBC_TUNABLES",
})  # fmt: skip
_KEPT_BEGINNINGS = ("LC_", "QEMU_", "MALLOC_")


def clean_environment() -> dict[str, str]:
    """Return the part of our environment that a QEMU gets."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)
    }


def shed(powers: dict, libc: ctypes.CDLL) -> None:  # type: ignore[type-arg]
    """Give up what a QEMU must not have; raise ``OSError`` where that cannot be done.

    What the parent's death does to this process is reset by the change of user: set it after.
    """
    for number, limit in powers["limits"]:
        _, hard = resource.getrlimit(number)
        most = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(number, (most, most))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if powers["keep"]:
        return
    libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0)
    for capability in range(_LAST_CAPABILITY + 1):
        if libc.prctl(_PR_CAPBSET_READ, capability, 0, 0, 0) == 1:
            libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to who has none to give
    if powers["user"] is not None:
        uid, gid, groups = powers["user"]
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()):
        raise OSError(ctypes.get_errno(), "capset")
