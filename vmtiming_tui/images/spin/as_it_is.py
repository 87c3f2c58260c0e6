"""The command that boots an image as it is, where no copy of its root is made."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from vmtiming_tui.errors import AsItIsError, ImageError
from vmtiming_tui.images.spin.arguments import Arguments
from vmtiming_tui.images.system.way_in import MIN_SYSTEMD


def advised(error: AsItIsError, arguments: Arguments) -> ImageError:
    """Return the error with the way that works and its exact command, each on a line."""
    if error.untouched and not arguments.boot_files:
        advice = "its own kernel and initrd boot it as it is:"
        command = _untouched(arguments)
    elif error.systemd and error.systemd < MIN_SYSTEMD:
        advice = (
            f"its systemd is {error.systemd}, and takes a service from outside from {MIN_SYSTEMD} "
            "on: bring vm-report.service into it (vm-timing-report manual guests), then:"
        )
        command = _by_firmware(arguments)
    else:
        needs = "" if error.systemd else f", if its systemd is {MIN_SYSTEMD} or newer"
        advice = f"its own loader boots it as it is{needs}:"
        command = [*_by_firmware(arguments), "--inject=credentials"]
    return ImageError("\n".join((error.message, advice, shlex.join(command))))


def _by_firmware(arguments: Arguments) -> list[str]:
    words = ["vm-timing-report", *arguments.storm]
    words += ["-v", str(Path(arguments.out) / "vms"), "--base", arguments.image]
    return [*words, *_permissions(arguments), "--boot", "firmware"]


def _untouched(arguments: Arguments) -> list[str]:
    words = ["vm-timing-report", "prepare", arguments.image, "--out", arguments.out]
    words += [*arguments.storm, *_permissions(arguments)]
    words += ["--format", arguments.format] if arguments.format else []
    return [*words, "--untouched"]


def _permissions(arguments: Arguments) -> Sequence[str]:
    words = [word for folder in arguments.allow_backing for word in ("--allow-backing", folder)]
    return [*words, *["--allow-device"] * arguments.allow_device]
