"""Where unpacked disks are kept: each under the digest of what it was packed in."""

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vmtiming_tui.errors import ImageError
from vmtiming_tui.escape import printable
from vmtiming_tui.images.guard.out_folder import WorkFolder, open_folder

_CHUNK = 1 << 20
_DIGEST_CHARS = 32
_MAX_NAME = 60
_KEPT = "kept"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


def cache_path() -> Path:
    """Return where the unpacked disks are, below the user's cache folder (XDG Base Directories).

    Raises ``ImageError`` where the user has no home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "").strip() or "~/.cache"
    try:
        return Path(base).expanduser() / "vmtiming-tui" / "unpacked"
    except RuntimeError:
        raise ImageError(
            f"user {os.geteuid()} has no home folder to keep what is unpacked in",
            hint="name one: XDG_CACHE_HOME=/some/folder",
        ) from None


def digest_of(fd: int, member: str, told: Callable[[int], None]) -> str:
    """Return what a packed file, and the member that is wanted of it, are kept under.

    ``told`` hears how many bytes have been read; it may raise.
    """
    whole = hashlib.sha256()
    at = 0
    while data := os.pread(fd, _CHUNK, at):
        whole.update(data)
        at += len(data)
        told(at)
    whole.update(f"\0{member}".encode(errors="surrogateescape"))
    return whole.hexdigest()[:_DIGEST_CHARS]


def plain_name(member: str, packed: str) -> str:
    """Return a name fit for the cache: the member's, or the packed file's without its ending."""
    name = (member or packed.rpartition(".")[0] or packed).rpartition("/")[2]
    return _NOT_PLAIN.sub("-", name).strip(".-")[-_MAX_NAME:] or "disk"


@dataclass(frozen=True, slots=True)
class Cache:
    """The folder of unpacked disks, held open."""

    name: str
    fd: int

    def find(self, digest: str) -> str:
        """Return the path of what is kept under a digest; empty where there is none."""
        try:
            folder = os.open(digest, _FOLDER, dir_fd=self.fd)
        except OSError:
            return ""
        try:
            names = os.listdir(folder)  # noqa: PTH208  by descriptor
            if len(names) != 1 or not _is_ours(folder, names[0]):
                return ""
            return f"{self.name}/{digest}/{names[0]}"
        finally:
            os.close(folder)

    def keep(self, work: WorkFolder, made: str, digest: str, name: str) -> str:
        """Keep a file of the work folder, whole or not at all, in a folder that has no other.

        So what an image asks for beside itself is no other image. Returns the path. What came
        there meanwhile stays. Raises ``OSError``.
        """
        os.mkdir(_KEPT, dir_fd=work.fd)
        os.rename(made, f"{_KEPT}/{name}", src_dir_fd=work.fd, dst_dir_fd=work.fd)
        try:
            os.rename(_KEPT, digest, src_dir_fd=work.fd, dst_dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        return self.find(digest) or f"{self.name}/{digest}/{name}"


def _is_ours(folder: int, name: str) -> bool:
    state = os.stat(name, dir_fd=folder, follow_symlinks=False)
    return stat.S_ISREG(state.st_mode) and state.st_uid == os.geteuid()


@contextlib.contextmanager
def opened_cache() -> Iterator[Cache]:
    """Open the cache, made where it is missing; raise ``ImageError`` where it is not ours."""
    path = cache_path()
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(open_folder(str(path))) as folder:
        state = os.fstat(folder.fd)
        if state.st_uid != os.geteuid() or state.st_mode & 0o022:
            raise ImageError(
                f"{printable(str(path))} belongs to others, or they may write to it",
                hint="name another cache: XDG_CACHE_HOME=/some/folder",
            )
        yield Cache(str(path.resolve()), folder.fd)
