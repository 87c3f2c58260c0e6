"""The kernel that is taken in the end: the image's, a person's own, or one with the other's initrd.

What a person gave is ``kernel`` and ``initrd`` in a tree of its own; either may be missing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.files.given import GivenFiles
from vmtiming_tui.images.files.tree import Tree
from vmtiming_tui.images.quoting import shown
from vmtiming_tui.images.system.initrd.contents import Initrd
from vmtiming_tui.images.system.kernel.architecture import architecture_of, refuse_other
from vmtiming_tui.images.system.kernel.built_in import lacking, needed
from vmtiming_tui.images.system.kernel.file import release_of
from vmtiming_tui.images.system.kernel.kernels import Kernel, choose_kernel
from vmtiming_tui.images.system.kernel.no_kernel import refuse_no_initrd, refuse_no_kernel
from vmtiming_tui.images.system.kernel.places import unified_kernel
from vmtiming_tui.images.system.layout import systemd_version
from vmtiming_tui.images.system.located import MODULE_FOLDERS
from vmtiming_tui.images.system.way_in import MIN_SYSTEMD

KERNEL, INITRD = "kernel", "initrd"
NOTHING_GIVEN = Tree(GivenFiles({}))

_MODULE = re.compile(r"(?:usr/)?lib/modules/([^/]{1,128})/(?:.*/)?([^/]{1,128}?)\.ko")

Say = Callable[[str], None]


def kernel_to_take(
    kernels: Sequence[Kernel], asked: str, *, given: Tree, root: Tree, root_type: str, say: Say
) -> Kernel:
    """Return the kernel to take, and say what to mind of it.

    ``kernels`` are the image's, ``root`` its root's files, ``root_type`` the type of the file
    system they are to be booted from. Raises ``ImageError`` where none is fit to boot.
    """
    architecture = architecture_of(root)
    drivers = _listed(root_type)
    initrd = given.find(INITRD)
    if initrd:
        refuse_no_initrd(partial(given.files.chunks, initrd.node))
    if given.has(KERNEL):
        kernel = _own(given, root, root_type, architecture)
        say(f"kernel {shown(kernel.version) or 'of a version unknown'} (your own)")
        _mind_own(kernel, root, drivers, say)
        return kernel
    kernel = choose_kernel(kernels, asked, with_initrd=initrd is not None)
    if initrd:
        kernel = replace(kernel, initrds=(INITRD,), initrd_tree=given)
    say(f"kernel {kernel}" + (", with your own initrd" if initrd else ""))
    if not kernel.has_initrd:
        say(f"it has {drivers} built in, and boots without an initrd")
    elif kernel.modules_missing:
        say("the image has modules of other versions only: its initrd is taken as it is")
    return kernel


def _own(given: Tree, root: Tree, root_type: str, architecture: str) -> Kernel:
    found = given.find(KERNEL)
    assert found is not None  # noqa: S101  the caller has seen it
    placed = next(unified_kernel(given, KERNEL), None)
    refuse_no_kernel(partial(given.files.chunks, found.node), is_unified=placed is not None)
    bare = Kernel(
        version="",
        tree=given,
        path=KERNEL,
        initrds=(INITRD,) if given.has(INITRD) else (),
        initrd_tree=given if given.has(INITRD) else None,
        unified=placed is not None,
        initrd_inside=placed is not None and placed.initrd_inside,
    )
    refuse_other(bare.content, architecture)
    version = release_of(bare.content)
    lacks = () if bare.has_initrd else lacking(root, version, bare.content, needed(root_type))
    return replace(bare, version=version, lacks=lacks)


def _mind_own(kernel: Kernel, root: Tree, drivers: str, say: Say) -> None:
    """Say what a person's own kernel may lack; raise ``ImageError`` where it cannot boot so."""
    if not kernel.version:
        say("your kernel does not say its version: whether the image has its modules is not known")
    elif not _has_modules(root, kernel.version):
        say("the image has no modules of it: the guest has what is built in, or in the initrd")
    if kernel.has_initrd:
        return
    if kernel.lacks:
        raise ImageError(
            f"your kernel has no {' and no '.join(kernel.lacks)} built in, and so takes an initrd",
            hint="give its initrd by -i INITRD",
        )
    if kernel.lacks is None:
        say(f"whether it has {drivers} built in, as it must without an initrd, cannot be told")
    else:
        say(f"it has {drivers} built in, and boots without an initrd")


def check_own_initrd(initrd: Path, kernel: Kernel, root: Tree, root_type: str, say: Say) -> None:
    """See to it that an initrd a person gave goes with its kernel, and say what neither has.

    Raises ``ImageError`` where it has modules of other kernels only, and this one needs some.
    """
    try:
        with initrd.open("rb") as file:
            found = [_MODULE.match(name) for name in Initrd(file).names()]
    except ValueError:  # said where it is completed
        return
    versions = sorted({each[1] for each in found if each})
    modules = {each[2].replace("-", "_") for each in found if each}
    lacks = lacking(root, kernel.version, kernel.content, needed(root_type)) or ()
    missing = [name for name in lacks if name not in modules]
    if versions and kernel.version and kernel.version not in versions:
        what = (
            f"your initrd has modules of {shown(versions[0])} only, not of {shown(kernel.version)}"
        )
        if lacks:
            raise ImageError(
                f"{what}, which has no {' and no '.join(lacks)} built in",
                hint="give the two of a kind",
            )
        say(what)
    elif missing and not _has_modules(root, kernel.version):
        what = f"neither the kernel nor your initrd has {' and '.join(missing)}"
        say(f"{what}: the guest may not find its root")


def check_without_initrd(root_name: str, root: Tree, say: Say) -> None:
    """See to it that an image that stays as it is can boot, and report, without an initrd.

    ``root_name`` names the volume of its root. Raises ``ImageError`` where it cannot.
    """
    helps = "-i INITRD gives it an initrd; without --untouched a root is made that needs none"
    if "/" in root_name:
        raise ImageError(f"{root_name} is a logical volume, which takes an initrd", hint=helps)
    version = systemd_version(root)
    if 0 < version < MIN_SYSTEMD:
        raise ImageError(
            "without an initrd the report service is brought in by credentials, which takes systemd"
            f" {MIN_SYSTEMD}; the image has {version}",
            hint=helps,
        )
    say(f"the report service is brought in by credentials, which takes systemd "
        f"{MIN_SYSTEMD} or newer")  # fmt: skip


def _has_modules(root: Tree, version: str) -> bool:
    return any(root.has(f"{folder}/{version}") for folder in MODULE_FOLDERS)


def _listed(root_type: str) -> str:
    *most, last = needed(root_type)
    return f"{', '.join(most)} and {last}"
