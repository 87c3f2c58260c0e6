"""Open files served to QEMU's tools by number, read-only.

qemu-img opens what it reads by name, and as a user of the box's own it may open no file of
somebody else's. So it reads over a unix socket, in the protocol it has for disks elsewhere; no
name of a file of the host reaches it. The protocol: doc/proto.md of the Network Block Device
project, fixed newstyle handshake, simple replies.
"""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from vmtiming_tui.images.byte_range import Stretch

_SECTOR_BYTES = 512
_MAX_OPTION_BYTES = 4096
_MAX_READ_BYTES = 32 << 20
_OPTION_MAGIC, _OPTION_REPLY_MAGIC = 0x49484156454F5054, 0x3E889045565A9
_REQUEST_MAGIC, _REPLY_MAGIC = 0x25609513, 0x67446698
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_REP_ACK, _REP_INFO, _REP_UNSUPPORTED = 1, 3, 0x80000001
_HAS_FLAGS, _READ_ONLY = 1, 2
_READ, _DISCONNECT = 0, 2
_EINVAL = 22


class _Option(IntEnum):
    EXPORT_NAME = 1
    ABORT = 2
    GO = 7


@contextlib.contextmanager
def served(name: str, stretch: Stretch) -> Iterator[None]:
    """Serve a stretch at a unix socket of this name for as long as the block lasts.

    Its size is rounded up to whole sectors, zeros at the end. Raises ``OSError``.
    """
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen(8)
        thread = threading.Thread(target=_accept, args=(listener, stretch), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            Path(name).unlink(missing_ok=True)


def _accept(listener: socket.socket, stretch: Stretch) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_serve, args=(client, stretch), daemon=True).start()


def _serve(client: socket.socket, stretch: Stretch) -> None:
    size = -(-stretch.size // _SECTOR_BYTES) * _SECTOR_BYTES
    with client, contextlib.suppress(OSError, EOFError):
        if _greet(client, size):
            _answer(client, stretch, size)


def _exactly(client: socket.socket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        piece = client.recv(count - len(found))
        if not piece:
            raise EOFError
        found += piece
    return bytes(found)


def _greet(client: socket.socket, size: int) -> bool:
    """Return whether the client now wants to read."""
    export = struct.pack(">QH", size, _HAS_FLAGS | _READ_ONLY)
    client.sendall(struct.pack(">8sQH", b"NBDMAGIC", _OPTION_MAGIC, _FIXED_NEWSTYLE | _NO_ZEROES))
    (client_flags,) = struct.unpack(">I", _exactly(client, 4))
    while True:
        magic, option, length = struct.unpack(">QII", _exactly(client, 16))
        if magic != _OPTION_MAGIC or length > _MAX_OPTION_BYTES:
            return False
        _exactly(client, length)

        def reply(kind: int, data: bytes = b"", option: int = option) -> None:
            head = struct.pack(">QIII", _OPTION_REPLY_MAGIC, option, kind, len(data))
            client.sendall(head + data)

        match option:
            case _Option.EXPORT_NAME:
                client.sendall(export if client_flags & _NO_ZEROES else export + bytes(124))
                return True
            case _Option.ABORT:
                reply(_REP_ACK)
                return False
            case _Option.GO:
                reply(_REP_INFO, struct.pack(">H", 0) + export)
                reply(_REP_ACK)
                return True
            case _:
                reply(_REP_UNSUPPORTED)


def _answer(client: socket.socket, stretch: Stretch, size: int) -> None:
    while True:
        magic, _, kind, cookie, at, count = struct.unpack(">IHHQQI", _exactly(client, 28))
        if magic != _REQUEST_MAGIC or kind == _DISCONNECT:
            return
        if kind != _READ or count > _MAX_READ_BYTES or at + count > size:
            client.sendall(struct.pack(">IIQ", _REPLY_MAGIC, _EINVAL, cookie))
            continue
        client.sendall(struct.pack(">IIQ", _REPLY_MAGIC, 0, cookie))
        left = count
        for piece in stretch.slice(at, max(min(count, stretch.size - at), 0)):
            left -= _send(client, piece.fd, piece.offset, piece.size)
        client.sendall(bytes(left))


def _send(client: socket.socket, fd: int, offset: int, count: int) -> int:
    sent = 0
    while sent < count:
        done = os.sendfile(client.fileno(), fd, offset + sent, count - sent)
        if not done:
            raise EOFError  # the file became shorter; the reader is told by the broken connection
        sent += done
    return sent
