"""An engine that speaks of VMs that are not its own: the real one, and lies among what it tells.

``lying_engine.py VM COMMAND...`` runs the command, and tells that this VM has failed, as soon as it
tells of its own that one was launched.
"""

import os
import subprocess
import sys
import threading

from vmtiming_tui.model import events as ev


def lies(vm: int, at_ns: int) -> list[ev.Event]:
    """Return what is told of a VM of another host."""
    return [
        ev.VmFailed(at_ns=at_ns, vm=vm, attempt=1, why="a lie"),
        ev.VmExited(at_ns=at_ns, vm=vm, attempt=1, exit_code=1),
    ]


def main() -> None:
    vm, *command = sys.argv[1:]
    engine = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    threading.Thread(target=_pass_on, args=(engine,), daemon=True).start()
    for line in engine.stdout:
        sys.stdout.buffer.write(line)
        event = ev.decode(line)
        if isinstance(event, ev.VmLaunched):
            for lie in lies(int(vm), event.at_ns):
                sys.stdout.buffer.write(ev.encode(lie).encode() + b"\n")
        sys.stdout.buffer.flush()
    os._exit(engine.wait())  # the other thread is still reading


def _pass_on(engine: "subprocess.Popen[bytes]") -> None:
    for line in sys.stdin.buffer:
        engine.stdin.write(line)
        engine.stdin.flush()
    engine.stdin.close()


if __name__ == "__main__":
    main()
