"""The initrd of the VM that reads file systems only a kernel can: a script, tools, modules, a job.

All of it is of the host's own packages, or ours.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from vmtiming_tui.errors import ImageError
from vmtiming_tui.images.reader.device_mapper import LVM_CONF
from vmtiming_tui.images.reader.guest_kernel import GuestKernel
from vmtiming_tui.images.system.initrd.cpio import Entry, cpio

_INIT = Path(__file__).with_name("vm_init.sh")
_TOOLS = ("mke2fs",)
# What keeps the top folder's own attributes; who has them gets them.
_MORE_TOOLS = ("getfattr", "setfattr")
_ELF_HEADER_BYTES, _INTERPRETER = 64, 3
_LOADER_LIMIT_S = 20
_SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Kernels of ten years ago mount this, too: the guest's may be one.
MKE2FS_CONF = b"""\
[defaults]
    base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
    blocksize = 4096
    inode_size = 256
    inode_ratio = 16384
[fs_types]
    ext4 = {
        features = has_journal,extent,huge_file,flex_bg,uninit_bg,dir_nlink,extra_isize
    }
"""


def initrd(
    kernel: GuestKernel, modules: Sequence[str], job: Mapping[str, str], *, lvm: bool = False
) -> bytes:
    """Return an initrd for a kernel, with these modules where it has them, and this job.

    With ``lvm`` it has lvm2, too. Raises ``ImageError`` where the host lacks a tool.
    """
    if lvm and shutil.which("lvm", path=_SYSTEM_PATH) is None:
        raise ImageError("this host has no lvm for it", hint="apt-get install lvm2")
    files: dict[str, tuple[bytes, int]] = {"init": (_INIT.read_bytes(), 0o755)}
    files["bin/busybox"] = (_busybox().read_bytes(), 0o755)
    for name in (*_TOOLS, *_MORE_TOOLS, *(["lvm"] if lvm else [])):
        if path := shutil.which(name, path=_SYSTEM_PATH):
            files[f"tools/{name}"] = (Path(path).read_bytes(), 0o755)
            for library in _libraries(path):
                files[library.lstrip("/")] = (Path(library).read_bytes(), 0o755)
    names = []
    for name, content in kernel.modules(modules):
        names.append(name)
        files[f"modules/{name}.ko"] = (content, 0o644)
    files["job/modules"] = ("".join(f"{name}\n" for name in names).encode(), 0o644)
    files["job/mke2fs.conf"] = (MKE2FS_CONF, 0o644)
    files["job/lvm.conf"] = (LVM_CONF, 0o644)
    for name, text in job.items():
        files[f"job/{name}"] = (text.encode(errors="surrogateescape"), 0o644)
    return cpio(_entries(files))


def _entries(files: Mapping[str, tuple[bytes, int]]) -> Iterator[Entry]:
    made: set[PurePosixPath] = set()
    for name, (data, mode) in files.items():
        for folder in reversed(PurePosixPath(name).parents[:-1]):
            if folder not in made:
                made.add(folder)
                yield Entry(str(folder))
        yield Entry(name, data, mode)


def _busybox() -> Path:
    """Return a busybox that needs no libraries."""
    path = shutil.which("busybox", path=_SYSTEM_PATH)
    if path is None or _interpreter(Path(path)):
        raise ImageError(
            "a file system that only a kernel reads takes a VM, and that a busybox",
            hint="apt-get install busybox-static, or --mount as root where the image is trusted",
        )
    return Path(path)


def _interpreter(program: Path) -> str:
    """Return what loads a program's libraries, empty where it has none (ELF, elf(5))."""
    data = program.read_bytes()
    wide = data[4] == 2
    at = int.from_bytes(data[32:40] if wide else data[28:32], "little")
    size = int.from_bytes(data[54:56] if wide else data[42:44], "little")
    count = int.from_bytes(data[56:58] if wide else data[44:46], "little")
    for header in (data[at + size * number : at + size * (number + 1)] for number in range(count)):
        if int.from_bytes(header[:4], "little") == _INTERPRETER:
            begin = int.from_bytes(header[8:16] if wide else header[4:8], "little")
            return data[begin : data.index(b"\0", begin)].decode()
    return ""


def _libraries(program: str) -> list[str]:
    """Return the loader of a program and the libraries it takes, as the loader lists them."""
    loader = _interpreter(Path(program))
    if not loader:
        return []
    said = subprocess.run(  # noqa: S603  the host's own program
        [loader, "--list", program], capture_output=True, text=True, check=True,
        timeout=_LOADER_LIMIT_S,
    ).stdout  # fmt: skip
    words = [word for line in said.splitlines() for word in line.split() if word.startswith("/")]
    return sorted({loader, *words})
