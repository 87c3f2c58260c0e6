"""Ways to start the stand-in through another program, as users start QEMU through theirs."""

from support.engine_lab import Lab

WRAPPERS = {
    "direct": None,
    "wrapper that execs": '#!/bin/sh\nexec {qemu} "$@"\n',
    "wrapper that waits": '#!/bin/sh\n{qemu} "$@"\nexit $?\n',
    "wrapper with a session": '#!/bin/sh\nsetsid -w {qemu} "$@"\n',
}


def wrapped(lab: Lab, wrapper: str) -> str:
    text = WRAPPERS[wrapper]
    if text is None:
        return str(lab.qemu)
    return str(lab.launcher("wrapper", text.format(qemu=lab.qemu)))
