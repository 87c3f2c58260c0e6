"""The files and programs a storm needs: what is missing on this host, and what to do about it."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vmtiming_tui.errors import Problem
from vmtiming_tui.model.config import RunConfig
from vmtiming_tui.model.plan import RunPlan
from vmtiming_tui.request.flags import FLAGS


def unreachable(path: Path) -> str:
    """Return why the host will not even look for a path (a right missing, a name too long)."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return error.strerror or str(error)
    except ValueError:  # a zero byte, or a letter no file name can hold
        return "not a path"
    return ""


def _unreadable(name: str, path: str) -> Problem | None:
    flag = FLAGS[name]
    if why := unreachable(Path(path)):
        return Problem(name, f"{flag}: {path!r} cannot be read: {why}; check the path")
    if not Path(path).is_file():
        return Problem(name, f"{flag}: there is no file {path!r}; check the path")
    if not os.access(path, os.R_OK):
        return Problem(name, f"{flag}: {path!r} cannot be read; check its permissions")
    return None


def with_absolute_paths(plan: RunPlan) -> RunPlan:
    """Return a plan whose paths mean the same in any folder, and so to any host."""
    variants = (replace(each, config=_absolute(each.config)) for each in plan.variants)
    return replace(plan, variants=tuple(variants))


def _absolute(config: RunConfig) -> RunConfig:
    def absolute(path: str) -> str:
        return str(Path(path).absolute()) if path else path

    return replace(
        config,
        vmdir=absolute(config.vmdir),
        kernel=absolute(config.kernel),
        initrd=absolute(config.initrd),
        base=absolute(config.base),
        qemu=absolute(config.qemu) if os.sep in config.qemu else config.qemu,
        allow_backing=tuple(map(absolute, config.allow_backing)),
    )


def file_problems(config: RunConfig, vms: Sequence[int] | None = None) -> list[Problem]:
    """Return what is missing on this host: paths, images, and QEMU itself.

    ``vms`` are those that boot on this host, where that is not all.
    """
    problems = [
        problem
        for name, path in (
            ("kernel", config.kernel),
            ("initrd", config.initrd),
            ("base", config.base),
        )
        if path
        and not (name == "base" and _is_device(Path(path), config))
        and (problem := _unreadable(name, path))
    ]
    if shutil.which(config.qemu) is None:
        problems.append(
            Problem(
                "qemu",
                f"{FLAGS['qemu']}: {config.qemu!r} is not an executable on this host; "
                "install QEMU (apt-get install qemu-system-x86) or give its path",
            )
        )
    if why := unreachable(Path(config.vmdir)):
        problems.append(
            Problem("vmdir", f"{FLAGS['vmdir']}: {config.vmdir!r} cannot be read: {why}")
        )
    elif not Path(config.vmdir).is_dir():
        if not config.base:
            problems.append(
                Problem(
                    "vmdir",
                    f"{FLAGS['vmdir']}: there is no folder {config.vmdir!r}; "
                    "give the folder of the images, or --base ROOTFS to make them",
                )
            )
    else:
        problems += _missing_images(config, range(config.number) if vms is None else vms)
    return problems


def _is_device(path: Path, config: RunConfig) -> bool:
    """Whether a path leads to a block device that is taken for an image."""
    return config.allow_device and path.is_block_device()


def _is_image(path: Path, config: RunConfig) -> bool:
    return path.is_file() or _is_device(path, config)


def _missing_images(config: RunConfig, vms: Sequence[int]) -> list[Problem]:
    if config.base or not vms:
        return []
    last = config.image(max(vms))
    if why := unreachable(last):
        text = f"image {str(last)!r} cannot be read: {why}; check -p, -s and -v"
        return [Problem("prefix", text)]
    missing = [vm for vm in vms if not _is_image(config.image(vm), config)]
    if not missing:
        return []
    first = config.image(missing[0])
    if first.exists():
        hint = "; --allow-device takes it" if first.is_block_device() else "; check -p, -s and -v"
        return [Problem("prefix", f"image {str(first)!r} is no regular file{hint}")]
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return [
        Problem(
            "number",
            f"image {str(first)!r}{more} not found; make {'them' if more else 'it'} with "
            "--base ROOTFS, or check -p, -s, -v and -n",
        )
    ]
