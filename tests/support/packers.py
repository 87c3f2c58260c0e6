"""The ways a kernel or an initrd is packed."""

import bz2
import gzip
import lzma
import subprocess


def xz(data: bytes) -> bytes:
    """With a check that the kernel knows."""
    return lzma.compress(data, check=lzma.CHECK_CRC32)


def lzo(data: bytes) -> bytes:
    return subprocess.check_output(["lzop", "-qc"], input=data)


def zstd(data: bytes) -> bytes:
    return subprocess.check_output(["zstd", "-qc"], input=data)


def lz4(data: bytes) -> bytes:
    """In the format that the kernel reads, which is not the one of today's files."""
    return subprocess.check_output(["lz4", "-qlc"], input=data)


def lzma_alone(data: bytes) -> bytes:
    return lzma.compress(data, lzma.FORMAT_ALONE)


PACKERS = [bytes, gzip.compress, bz2.compress, xz, lzma_alone, lzo, zstd, lz4]
