"""Which accelerator really boots this kernel.

/dev/kvm may exist and open and yet hang every kernel. So ``auto`` proves it: it boots the user's
kernel under KVM for a moment, without a disk, and looks for the kernel's first line on the serial
console. The answer is kept per QEMU, kernel and boot of the host.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import socket
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs

from vmtiming_tui.engine.children.children import Children
from vmtiming_tui.engine.children.output_tail import Tail
from vmtiming_tui.engine.qemu.confinement import KVM, Powers, Reach
from vmtiming_tui.engine.qemu.machine import emulated_arch, host_arch, machine_of, runs_natively
from vmtiming_tui.engine.qemu.why_it_failed import qemu_trouble, words_of
from vmtiming_tui.guests.demo_guest import DemoVariant, cached_guest
from vmtiming_tui.model.config import Accel, RunConfig

PROOF_LIMIT_S = 4.0
_MARKS = (b"Linux version", b"Command line:", b"earlyser", b"] ")


@dataclass(frozen=True, slots=True)
class ChosenAccel:
    """The accelerator to use, and why that one, in a sentence; ``warns`` if it is a fallback."""

    accel: Accel
    reason: str
    warns: bool = False


def _fallback(why: str) -> ChosenAccel:
    return ChosenAccel(
        Accel.TCG, f"{why}, so QEMU emulates the CPU (TCG), which is slower", warns=True
    )


def _no_device() -> str:
    """Return why /dev/kvm cannot even be opened; an empty text where it can."""
    try:
        os.close(os.open(KVM, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return "this host has no /dev/kvm"
    except PermissionError:
        return "you have no right to /dev/kvm (join the group kvm: sudo usermod -aG kvm $USER)"
    except OSError as error:
        return f"/dev/kvm cannot be opened ({error.strerror})"
    return ""


def _identity(config: RunConfig, version: str) -> str:
    """Return what a proof holds for: this QEMU, this kernel, this boot of the host."""
    found: list[object] = [version, config.machine, config.cpu]
    for path in (shutil.which(config.qemu) or config.qemu, config.kernel):
        with contextlib.suppress(OSError):
            status = os.stat(path)  # noqa: PTH116
            found += [os.path.realpath(path), status.st_size, status.st_mtime_ns]
    with contextlib.suppress(OSError):
        found.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def trial_kernel() -> str:
    """Return a kernel to try KVM with where the image has its own: the demo's, or the host's."""
    installed = sorted(Path("/boot").glob("vmlinuz-*"), reverse=True)
    guests = (cached_guest(variant).kernel for variant in DemoVariant)
    readable = (path for path in (*guests, *installed) if os.access(path, os.R_OK))
    return str(next(readable, ""))


class ProofStore:
    """Remembers proofs in one small file; one that cannot be read or written is done without."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or platformdirs.user_cache_path("vmtiming-tui") / "accel.json"

    def _load(self) -> dict[str, bool]:
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        if not isinstance(kept, dict):
            return {}
        return {key: value for key, value in kept.items() if isinstance(value, bool)}

    def get(self, key: str) -> bool | None:
        """Return what was proved; None where nothing was."""
        return self._load().get(key)

    def put(self, key: str, works: bool) -> None:
        """Keep a proof, atomically, with the last few others."""
        kept = dict([*self._load().items(), (key, works)][-32:])
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd, name = tempfile.mkstemp(dir=self._path.parent)
            with os.fdopen(fd, "w") as file:
                json.dump(kept, file)
            Path(name).replace(self._path)


def _proof_command(config: RunConfig, powers: Powers) -> list[str]:
    words = [config.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
    words += [
        *powers.sandbox(config),
        *machine_of(config).options,
        "-accel",
        "kvm",
        "-m",
        str(max(config.memory_mib, 128)),
    ]
    words += ["-chardev", "socket,id=console,fd=4", "-serial", "chardev:console"]
    append = f"console={machine_of(config).console} earlyprintk=serial panic=-1"
    return [*words, "-kernel", config.kernel, "-append", append]


async def _first_words(ours: socket.socket, limit_s: float) -> tuple[bytes, bool]:
    """Return what comes on the console till a kernel's line is in it, and if QEMU closed it."""
    loop = asyncio.get_running_loop()
    heard = b""
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(limit_s):
            while not any(mark in heard for mark in _MARKS):
                data = await loop.sock_recv(ours, 4096)
                if not data:
                    return heard, True
                heard = (heard + data)[-65536:]
    return heard, False


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a kernel spoke under KVM; ``trouble`` says what happened instead.

    ``settled`` is false where something else than KVM was in the way: not worth remembering.
    """

    works: bool
    trouble: str = ""
    settled: bool = True


async def prove_kvm(config: RunConfig, powers: Powers, children: Children) -> Proof:
    """Boot the kernel under KVM for a moment, and listen for it on the console."""
    if powers.reach(config.kernel) is not Reach.PATH:
        powers = replace(powers, user=None)  # it gets no disk, and lives for a moment
    ours, theirs = socket.socketpair()
    errors = Tail()
    try:
        ours.setblocking(False)
        with theirs:
            try:
                child = await children.spawn(
                    _proof_command(config, powers),
                    [(errors.write_fd, (1, 2)), (theirs.fileno(), (4,))],
                    powers.message(),
                )
            except OSError as error:
                return Proof(False, f"KVM could not be tried ({error.strerror})", settled=False)
        errors.given()
        try:
            heard, gave_up = await _first_words(ours, PROOF_LIMIT_S)
        finally:
            child.signal()
        if any(mark in heard for mark in _MARKS):
            return Proof(True)
        # A QEMU that runs on may have warned of much (CPU features, say) and still be fine.
        said = words_of(await errors.ended(0.5))
        if gave_up and said:
            known = qemu_trouble(said)
            why = known.text if known else said.rpartition("\n")[2][:200]
            return Proof(False, f"KVM could not be tried: {why}", settled=False)
        return Proof(
            False,
            f"/dev/kvm is there, but a kernel hangs under it (no sign of life in "
            f"{PROOF_LIMIT_S:g} s)",
        )
    finally:
        ours.close()
        errors.close()


async def choose_accel(
    config: RunConfig, powers: Powers, children: Children, store: ProofStore | None = None
) -> ChosenAccel:
    """Return the accelerator for a config; only ``auto`` needs to find out."""
    if config.accel is not Accel.AUTO:
        return ChosenAccel(config.accel, f"asked for by --accel {config.accel}")
    if not runs_natively(config.qemu):
        guest, host = emulated_arch(config.qemu), host_arch()
        return _fallback(f"{guest} guests cannot run on this {host} host's CPU itself")
    if trouble := _no_device():
        return _fallback(trouble)
    config = replace(config, kernel=config.kernel or trial_kernel())
    if not config.kernel:
        return ChosenAccel(Accel.KVM, "/dev/kvm can be opened; no kernel is at hand to try it with")
    store = store or ProofStore()
    key = _identity(config, powers.version)
    proved = store.get(key)
    if proved is None:
        proof = await prove_kvm(config, powers, children)
        if proof.settled:
            store.put(key, proof.works)
    else:
        proof = Proof(proved, "a kernel hangs under this host's KVM (an earlier run found out)")
    return (
        ChosenAccel(Accel.KVM, "KVM boots this kernel") if proof.works else _fallback(proof.trouble)
    )


def accel_key(config: RunConfig) -> tuple[str, ...]:
    """Return what the choice of an accelerator depends on."""
    return (config.accel, config.qemu, config.kernel, config.machine, config.cpu, config.boot)
