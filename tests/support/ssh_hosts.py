"""Hosts that ssh leads to: servers of this one, each at an address and with a key of its own."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LIMIT_S = 20


def _key(path: Path) -> str:
    """Make a key; return its public half."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
    subprocess.run(words, check=True)
    kind, public, *_ = Path(f"{path}.pub").read_text().split()
    return f"{kind} {public}"


def _free_port(addresses: Sequence[str]) -> int:
    with socket.create_server((addresses[0], 0)) as listening:
        return int(listening.getsockname()[1])


def _await_server(address: str, port: int) -> None:
    until = time.monotonic() + LIMIT_S
    while True:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, f"no ssh server at {address}"
            time.sleep(0.02)
        else:
            return


@contextmanager
def ssh_hosts(home: Path, addresses: Sequence[str]) -> Iterator[None]:
    """Serve ssh at addresses of this host, for whoever has ``home``'s key and knows theirs."""
    ssh, port = home / ".ssh", _free_port(addresses)
    ssh.mkdir(mode=0o700, parents=True)
    (home / "authorized").write_text(_key(ssh / "id_ed25519"))
    known = [f"[{each}]:{port} {_key(home / f'host-{each}')}" for each in addresses]
    (ssh / "known_hosts").write_text("\n".join(known) + "\n")
    (ssh / "config").write_text(f"Host *\n  Port {port}\n  User {getpass.getuser()}\n")
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it separates its rights there
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    assert program, "install openssh-server"
    servers = []
    try:
        for each in addresses:
            options = {
                "ListenAddress": each, "HostKey": home / f"host-{each}", "PidFile": "none",
                "AuthorizedKeysFile": home / "authorized", "StrictModes": "no", "UsePAM": "no",
                "PermitRootLogin": "yes",
            }  # fmt: skip
            words = [program, "-D", "-f", "/dev/null", "-p", str(port)]
            words += [f"-o{name}={value}" for name, value in options.items()]
            servers.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))
        for each in addresses:
            _await_server(each, port)
        yield
    finally:
        for server in servers:
            server.terminate()
            server.wait()
