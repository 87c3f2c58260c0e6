"""``spin-from-raw.sh`` outside of the box: opens, watches, and hands over what was made inside.

No byte of the image is looked at here. What comes out of the box is words, which are shown as such,
and files in one folder, which are taken when nobody else can reach them any more.
"""

import contextlib
import os
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from vmtiming_tui.errors import AsItIsError, ImageError, VmTimingError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.gate.ask_qemu_img import QemuImg
from vmtiming_tui.images.gate.format_ledger import Ledger, entry_for, ledger_path
from vmtiming_tui.images.gate.permission import Rules, Taken, settled, take
from vmtiming_tui.images.gate.writer_lock import refuse_in_use
from vmtiming_tui.images.guard.box import Wall, best_wall, own_uid, user_name
from vmtiming_tui.images.guard.ending import Signals
from vmtiming_tui.images.guard.isolated import PACKAGE
from vmtiming_tui.images.guard.opening import open_file
from vmtiming_tui.images.guard.out_folder import (
    OutFolder,
    WorkFolder,
    make_work_folder,
    open_folder,
    readable_as,
)
from vmtiming_tui.images.guard.tools import free_bytes
from vmtiming_tui.images.packed.folders import refuse_folder
from vmtiming_tui.images.packed.split_files import refuse_part
from vmtiming_tui.images.quoting import for_image, human
from vmtiming_tui.images.reader.host_kernel import kernels
from vmtiming_tui.images.reader.loop_mount import own_namespace
from vmtiming_tui.images.reader.mount_server import MountServer
from vmtiming_tui.images.spin.arguments import HELP, USAGE, Arguments, UsageError, parse
from vmtiming_tui.images.spin.as_it_is import advised
from vmtiming_tui.images.spin.reading_box import BoxedReading, read_in_box
from vmtiming_tui.images.spin.saying import say, say_from_inside, to_the_end
from vmtiming_tui.images.spin.unpack import packed_how, unpack
from vmtiming_tui.images.spin.wanted import (
    BOOT_FILES,
    CMDLINE,
    MAX_CMDLINE_BYTES,
    ROOT_IMAGE,
    VMLINUZ,
)

TOOLS = {
    "qemu-img": "qemu-utils", "e2fsck": "e2fsprogs", "resize2fs": "e2fsprogs",
    "debugfs": "e2fsprogs", "mke2fs": "e2fsprogs", "prlimit": "util-linux",
    "setpriv": "util-linux",
}  # fmt: skip
_LEAST_FREE_BYTES = 1 << 20
_PLAIN_LINE = re.compile(rb"[!-,./-~][ -~]*\n")


def check_tools() -> None:
    """Raise ``ImageError`` where a tool is missing."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    missing = sorted({package for name, package in TOOLS.items()
                      if shutil.which(name, path=path) is None})  # fmt: skip
    if missing:
        raise ImageError(f"tools are missing: apt-get install {' '.join(missing)}")


def check_image(arguments: Arguments) -> None:
    """Raise ``ImageError`` for what is plainly no disk image, and say what it is."""
    name = printable(arguments.image)
    try:
        state = os.stat(arguments.image)  # noqa: PTH116  a name as it was given
    except FileNotFoundError:
        raise ImageError(f"there is no {name}") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be opened: {error.strerror}") from None
    if stat.S_ISDIR(state.st_mode):
        raise refuse_folder(arguments.image)
    if stat.S_ISREG(state.st_mode) and not state.st_size:
        raise ImageError(f"{name} is empty", hint="get it again; the download may have failed")
    device = stat.S_ISBLK(state.st_mode) and arguments.allow_device
    if not stat.S_ISREG(state.st_mode) and not device:
        raise ImageError(
            f"{name} is no file; a disk is copied first: qemu-img convert -O raw {name} disk.raw"
        )
    if not os.access(arguments.image, os.R_OK):
        raise ImageError(f"{name} may not be read by {user_name()}")
    refuse_part(arguments.image)


@contextlib.contextmanager
def out_folder(arguments: Arguments) -> Iterator[OutFolder]:
    """Open the folder for the results; one made for them goes again where nothing came of it."""
    name = printable(os.path.realpath(arguments.out))
    if any(char in arguments.out for char in '\n"\\'):
        raise ImageError(f"{name} has a line break, quote or backslash in it; use --out")
    try:
        opened = open_folder(arguments.out)
    except OSError as error:
        raise ImageError(f"{name} cannot be made: {error.strerror}") from None
    try:
        out = OutFolder(name, opened.fd)
        if out.has(arguments.result) and not (arguments.force or arguments.dry_run):
            raise ImageError(
                f"{name}/{arguments.result} is there already, and overlays may stand on it; "
                "--force replaces it"
            )
        yield out
    finally:
        opened.close()


@contextlib.contextmanager
def work_folder(out: OutFolder, uid: int | None) -> Iterator[WorkFolder]:
    """Make a folder of the box's, which is gone at the end with all that is in it."""
    try:
        work = make_work_folder(out.fd)
    except OSError as error:
        raise ImageError(f"{out.name} cannot be written to: {error.strerror}") from None
    try:
        work.give_to(uid)
        yield work
    finally:
        work.give_to(None)
        work.remove()


def own_files(arguments: Arguments, held: contextlib.ExitStack) -> Mapping[str, tuple[int, int]]:
    """Open the kernel and the initrd that the user gave; return descriptor and size by name.

    Raises ``ImageError`` where one is no file that can be read.
    """
    found = {}
    for name in ("kernel", "initrd"):
        if not (path := getattr(arguments, name)):
            continue
        try:
            file, fd = open_file(path)
        except OSError as error:
            raise ImageError(f"--{name} {printable(path)}: {error.strerror}") from None
        except ImageError as error:
            raise ImageError(f"--{name}: {error.message}", hint=error.hint) from None
        held.callback(os.close, fd)
        found[name] = (fd, file.size)
    return found


def results(arguments: Arguments, made: Mapping[str, Any]) -> list[str]:
    """Return the names of what was made, which are words from the box.

    Raises ``ImageError`` where what was asked for is not among them.
    """
    told = made.get("files")
    names = [name for name in (ROOT_IMAGE, *BOOT_FILES) if isinstance(told, list) and name in told]
    if not {VMLINUZ, CMDLINE if arguments.boot_files else ROOT_IMAGE} <= set(names):
        raise ImageError("what reads the image in its box left no kernel, or no root")
    return [name for name in names if name != ROOT_IMAGE or not arguments.boot_files]


def hand_over(out: OutFolder, work: WorkFolder, names: Sequence[str], owner: int, mode: int) -> str:
    """Move the results to their places, and return what is ready; no signal comes in between.

    A file of an earlier result that this one does not have goes. Raises ``ImageError`` where one
    is no file of ours, and ``OSError``.
    """
    for name in names:
        work.check(name, owner, mode)
    words = _checked_words(work) if CMDLINE in names else ""
    boot = out.boot_folder()
    ready = []
    try:
        places = {name: out.fd if name == ROOT_IMAGE else boot for name in names}
        for name, target in places.items():
            _refuse_folder(out, name, target)
        for name, target in places.items():
            where = f"{out.name}/{name}" if name == ROOT_IMAGE else f"{out.name}/BFILES/{name}"
            if name == ROOT_IMAGE:
                size = os.stat(name, dir_fd=work.fd, follow_symlinks=False).st_size
                where += f" ({human(size)})"
            elif name == CMDLINE:
                where += f" (for --append: {words})"
            os.rename(name, name, src_dir_fd=work.fd, dst_dir_fd=target)
            ready.append(where)
        for name in set(BOOT_FILES) - set(names):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=boot)
    finally:
        os.close(boot)
    return ", ".join(ready)


def _refuse_folder(out: OutFolder, name: str, target: int) -> None:
    """Raise ``ImageError`` for the one thing that a file cannot take the place of."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.stat(name, dir_fd=target, follow_symlinks=False).st_mode):
            below = "" if name == ROOT_IMAGE else "BFILES/"
            raise ImageError(f"{out.name}/{below}{name} is a folder", hint="use --out elsewhere")


def _checked_words(work: WorkFolder) -> str:
    """Return the words left for a kernel, which are the box's; raise ``ImageError``, ``OSError``.

    They stand on command lines of ours and of QEMU's, so they are one line of plain ones.
    """
    fd = os.open(CMDLINE, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=work.fd)
    try:
        words = os.read(fd, MAX_CMDLINE_BYTES + 1)
    finally:
        os.close(fd)
    if len(words) > MAX_CMDLINE_BYTES or not _PLAIN_LINE.fullmatch(words):
        raise ImageError("what reads the image in its box left words for a kernel that are none")
    return words.decode().strip()


def would_write(out: OutFolder, arguments: Arguments, made: Mapping[str, Any]) -> str:
    """Return what a dry run leaves undone."""
    size = made.get("root_bytes")
    about = f" (about {human(size)})" if isinstance(size, int) and size > 0 else ""
    names = [
        f"{out.name}/{name}{about}" if name == ROOT_IMAGE else f"{out.name}/BFILES/{name}"
        for name in results(arguments, made)
    ]
    return f"would write {', '.join(names)}; nothing was written"


def _order(arguments: Arguments) -> dict[str, object]:
    return {
        "script": _asset("vm-report.sh"), "unit": _asset("vm-report.service"),
        "size_bytes": arguments.size_bytes, "kernel_version": arguments.kernel_version,
        "root": arguments.root, "boot_files": arguments.boot_files, "convert": arguments.convert,
        "dry_run": arguments.dry_run,
    }  # fmt: skip


def _asset(name: str) -> str:
    """Return a file for the guest, from a checkout or an installed wheel."""
    for root in (PACKAGE / "data", PACKAGE.parent):
        with contextlib.suppress(FileNotFoundError):
            return (root / "assets" / name).read_text()
    raise ImageError(f"assets/{name} is missing from this installation")


def of_unpacked(arguments: Arguments, signals: Signals) -> Arguments:
    """Return the same request of the disk in a packed image, unpacked now where it never was."""
    if packed_how(arguments.image) is None:
        if arguments.member:
            raise ImageError(f"{printable(arguments.image)} is no archive", hint="without --member")
        return arguments
    disk = unpack(arguments.image, arguments.member, signals, say_from_inside)
    return replace(arguments, image=disk)


def say_where_unpacked(arguments: Arguments, signals: Signals) -> None:
    """Unpack only, and print the path of the disk; everything else is said to standard error."""
    check_image(arguments)
    with contextlib.redirect_stdout(sys.stderr), out_folder(arguments):
        disk = of_unpacked(arguments, signals).image
    sys.stdout.buffer.write(os.fsencode(f"{disk}\n"))


def spin(arguments: Arguments, signals: Signals) -> None:
    """Do what was asked; raise ``ImageError``, or ``Ended`` where a signal came."""
    check_tools()
    check_image(arguments)
    if arguments.mount and os.geteuid() != 0:
        raise ImageError("--mount takes root, and the right to mount; without it nothing does")
    rules = Rules(
        format=arguments.format, allow_backing=tuple(arguments.allow_backing),
        allow_device=arguments.allow_device,
        in_parts=not arguments.boot_files,
    )  # fmt: skip
    with contextlib.ExitStack() as held:
        uid = held.enter_context(own_uid())
        out = held.enter_context(out_folder(arguments))
        arguments = of_unpacked(arguments, signals)
        taken = held.enter_context(take(arguments.image, rules, Ledger(ledger_path()), QemuImg()))
        if taken.image.format != "raw":
            say(f"{printable(arguments.image)} is a {taken.image.standing}")
        own = own_files(arguments, held)
        for notice in taken.image.notices:
            say(printable(notice))
        for fd in taken.fds.values():
            refuse_in_use(fd, printable(arguments.image))
        signals.check()
        wall = best_wall()
        if wall is not Wall.BUBBLEWRAP:
            say(f"bubblewrap does not work here: the image is kept in by {wall} alone (doctor "
                "says more)")  # fmt: skip
        work = held.enter_context(work_folder(out, uid))
        owner = os.geteuid() if uid is None else uid
        mounts = None
        if arguments.mount:
            folder = held.enter_context(own_namespace())
            fd = taken.fds[taken.image.layers[0].file]
            mounts = MountServer(folder, fd, work=work, owner=owner, signals=signals, say=say)
            say("--mount: this host's own kernel reads the image's file systems")
        box = BoxedReading(
            wall=wall, uid=uid, work=work, taken=taken, order=_order(arguments),
            kernels=tuple(held.enter_context(kernels())), mounts=mounts, own=own,
        )  # fmt: skip
        made = _made(box, arguments, out, signals)
        if arguments.dry_run:
            say(would_write(out, arguments, made))
            return
        names = results(arguments, made)
        work.give_to(None)
        sources = [*taken.fds.values(), *(fd for fd, _ in own.values())]
        ready = hand_over(out, work, names, owner, readable_as(sources))
        _write_down(arguments, taken)
    say(f"ready: {ready}")


def _write_down(arguments: Arguments, taken: Taken) -> None:
    """Keep what formats are, whatever a guest writes: a root made here is raw, RAW as was said."""
    with contextlib.suppress(VmTimingError, OSError):
        ledger = Ledger(ledger_path())
        if arguments.boot_files:
            ledger.write(settled(taken.image) if arguments.format else ())
            return
        file, fd = open_file(f"{arguments.out}/{ROOT_IMAGE}")
        os.close(fd)
        ledger.write([entry_for(file, "raw")])


def _made(
    box: BoxedReading, arguments: Arguments, out: OutFolder, signals: Signals
) -> Mapping[str, Any]:
    try:
        return read_in_box(box, signals, say_from_inside)
    except AsItIsError as error:
        raise advised(error, arguments) from None
    except ImageError as error:
        # On a full disk the tools' own words are lost, too.
        if free_bytes(box.work.fd) < _LEAST_FREE_BYTES:
            raise ImageError(f"no room is left for {out.name}; use --out elsewhere") from None
        raise ImageError(error.message, hint=for_image(error.hint, arguments.image)) from None


def main(words: Sequence[str]) -> int:
    """Run ``spin-from-raw.sh``; return its exit code."""
    try:
        arguments = parse(words)
    except UsageError as error:
        print(f"spin-from-raw: {error.message}\n{USAGE}", end="", file=sys.stderr)
        return error.exit_code
    if arguments.help:
        print(HELP, end="")
        return 0
    do = say_where_unpacked if arguments.unpack else spin
    return to_the_end(lambda signals: do(arguments, signals), arguments.image)
