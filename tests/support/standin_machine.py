"""A stand-in for QEMU, given through ``-q``: it speaks QMP and the report port, and misbehaves.

It takes the engine's own command line, opens what QEMU would open (the report socket by path, QMP
and the console by descriptor), says its greeting, waits for ``cont``, "boots", writes the report,
and powers off: as it is told to, where the host says that it leads its guests through phases
(``vmreport.protocol=3``) and the report is ``full``, else by itself. While it is stopped its guest
does nothing. What it does comes from the kernel arguments (``--append``), as words
``standin.KEY=VALUE``; ``standin.3.KEY=VALUE`` holds for VM 3 only. Times are in seconds, or a
range such as ``1~5`` to choose from at random.

=================  ==========================================================================
boot=0.05          from ``cont`` to the report
off=0.05           from the report, or the word, to powering off; ``never`` stays on
gather=0.01        from the word for details to the details
collect=HOW        to the word for details it says ``nothing``, ``half`` of them, or all ``twice``;
                   ``hangup`` closes the port
kernel=TEXT        the text of its kernel's log, where that is asked for; ``+`` stands for a blank,
                   ``|`` for a line's end
chatter=0.05       writes a line so often while it should wait
greet=0            before the greeting; ``never`` leaves it out, ``garbage`` writes rubbish,
                   ``flood`` 2 MB without a newline, ``close`` closes instead
die=PHASE:HOW      end at ``start``, ``greeted``, ``connected``, ``go``, ``half`` (of the boot) or
                   ``reported``, or when it is ``stopped``, told to give ``details`` or to go
                   ``off``; HOW is an exit code, or a signal's name such as KILL or SEGV
hang=PHASE         stop for good (SIGSTOP) at that phase
qmp=PHASE:HOW      at that phase ``close`` the QMP connection, or write ``garbage`` to it, or an
                   event as ``deep`` as a number of lists (``deep~5000``)
event=PHASE:NAME:DATA   a QMP event at that phase, DATA as JSON without spaces
shower=PHASE:NAME:COUNT:BYTES   so many QMP events at that phase, each with so much data
shutdown=REASON    power off with this reason instead of reporting
silent=1           never report
report=KIND        ``full`` (default), ``first`` (the first line only), ``other`` (another VM's
                   number), ``range``, ``negative``, ``huge``, ``word``, ``binary``, ``utf8``,
                   ``flood`` (no newline, ``size`` bytes), ``slow`` (a byte every ``pace``),
                   ``half`` (of the prefix), ``empty`` (opens and closes), ``twice``, ``pieces``,
                   ``early`` (before ``cont``), ``escapes``, ``markup``, ``bars``, ``long``
say=HEX            the text of a report that is its first line only, as hexadecimal bytes
size=2000000       bytes of a flood
details=BYTES      about so many more bytes of details
pace=0.05          between two bytes
console=TEXT       written to the console at ``cont``; ``+`` stands for a blank
cry=HEX            the same as hexadecimal bytes, and nothing is added
noise=BYTES        so much console output, in lines of 100 bytes
stderr=TEXT        written to standard error at the start; ``+`` stands for a blank
deaf=COMMANDS      QMP commands (comma between) it does not answer
refuse=COMMANDS    QMP commands (comma between) it refuses
noport=1           does not connect its report port
stranger=1         connects a second time and claims to be another
=================  ==========================================================================

The report's text holds ``vm=`` and ``pid=``, so that a test knows whose it is, and ``sent_ns=``
with this process's CLOCK_MONOTONIC just before it was written, so that it knows the true time.
"""

# Hundreds of these start at once: the public modules (json, socket, signal) bring enum and re
# along, and would cost more than everything else together.
import _json
import _signal as signal
import _socket as socket
import os
import select
import sys
import time


class _Plain:
    """How ``_json`` is to read: as ``json.loads`` does by default."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int, parse_constant = float, int, float
    memo = None


scan_json = _json.make_scanner(_Plain)


def dump_json(value):
    """Return plain values as JSON."""
    match value:
        case None | True | False:
            return {None: "null", True: "true", False: "false"}[value]
        case str():
            return _json.encode_basestring_ascii(value)
        case dict():
            pairs = (f"{dump_json(key)}: {dump_json(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list():
            return "[" + ", ".join(map(dump_json, value)) + "]"
    return repr(value)


GREETING = {
    "QMP": {
        "version": {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": "stand-in"},
        "capabilities": ["oob"],
    }
}


def option(value, key):
    """Return a key of a QEMU option's value; a doubled comma is a comma."""
    for part in value.replace(",,", "\0").split(","):
        name, _, text = part.replace("\0", ",").partition("=")
        if name == key:
            return text
    return ""


class Arguments:
    """What the command line says."""

    def __init__(self, argv):
        self.report = self.qmp = self.console = ""
        append = ""
        for flag, value in zip(argv, [*argv[1:], ""], strict=True):
            if flag == "-append":
                append = value
            elif flag == "-chardev":
                match option(value, "id"):
                    case "reports":
                        self.report = option(value, "path")
                    case "qmp":
                        self.qmp = int(option(value, "fd"))
                    case "console":
                        self.console = int(option(value, "fd"))
        words = [word.partition("=") for word in append.split()]
        plain = [word.partition(":") for word in append.split() if word.startswith("VMREPORTID:")]
        self.vm = int(plain[0][2]) if plain else 0
        self.in_phases = "vmreport.protocol=3" in append.split()
        self.settings = {}
        for prefix in ("standin.", f"standin.{self.vm}."):
            for key, _, value in words:
                name = key.removeprefix(prefix)
                if name != key and "." not in name:
                    self.settings.setdefault(name, [])
                    if prefix != "standin.":
                        self.settings[name] = []
                    self.settings[name].append(value)

    def get(self, key, default=""):
        return self.settings[key][-1] if key in self.settings else default

    def all(self, key):
        return [value for value in self.settings.get(key, ()) if value]

    def seconds(self, key, default):
        low, _, high = str(self.get(key, default)).partition("~")
        chance = int.from_bytes(os.urandom(4)) / 2**32
        return float(low) + chance * (float(high or low) - float(low))


class StandIn:
    """One machine that is none."""

    def __init__(self, args):
        self.args = args
        self.qmp = socket.socket(fileno=args.qmp)
        self.console = socket.socket(fileno=args.console)
        self.report = None
        self.buffer = ""
        self.gone = False
        self.running = self.waits = self.tells_kernel = False
        self.stopped_at = None
        self.words = b""
        self.sent_ns = self.told = 0
        self.timers = []
        self.poller = select.poll()
        self.deaf = args.get("deaf").split(",")
        self.refused = args.get("refuse").split(",")

    # Phases.

    def phase(self, name):
        args = self.args
        for script in args.all("event"):
            when, event, *data = script.split(":", 2)
            if when == name:
                self.event(event, scan_json(data[0], 0)[0] if data else {})
        for script in args.all("shower"):
            when, event, count, size = script.split(":")
            if when == name:
                self.shower(event, int(count), int(size))
        for script in args.all("qmp"):
            when, how = script.split(":")
            if when == name and how == "close":
                self.qmp.shutdown(socket.SHUT_RDWR)
            elif when == name and how.startswith("deep~"):
                depth = int(how.removeprefix("deep~"))
                nest = b"[" * depth + b"]" * depth
                self.qmp.sendall(b'{"event": "DEEP", "data": {"nest": ' + nest + b"}}\r\n")
            elif when == name:
                self.qmp.sendall(b"\x00\xff this is no JSON }{\n")
        if args.get("hang") == name:
            os.kill(os.getpid(), signal.SIGSTOP)
        when, _, how = args.get("die").partition(":")
        if when == name:
            if how.isdigit():
                os._exit(int(how))
            os.kill(os.getpid(), getattr(signal, "SIG" + how))
            time.sleep(10)

    def later(self, seconds, action):
        self.timers.append((time.monotonic() + seconds, action))
        self.timers.sort(key=lambda timer: timer[0])

    # QMP.

    def tell(self, message):
        try:
            self.qmp.sendall(dump_json(message).encode() + b"\r\n")
        except OSError:
            return

    def event(self, name, data):
        now = time.time_ns() // 1000
        stamp = {"seconds": now // 1_000_000, "microseconds": now % 1_000_000}
        self.tell({"event": name, "data": data, "timestamp": stamp})

    def shower(self, name, count, size):
        stamp = '{"seconds": 1, "microseconds": 1}'
        data = dump_json({"more": "x" * size})
        line = f'{{"timestamp": {stamp}, "event": "{name}", "data": {data}}}\r\n'.encode()
        at_once = max(1, 65536 // len(line))
        try:
            while count > 0:
                self.qmp.sendall(line * min(count, at_once))
                count -= at_once
        except OSError:
            return

    def greet(self):
        how = self.args.get("greet", "0")
        if how == "garbage":
            self.qmp.sendall(b"SSH-2.0-OpenSSH\r\n")
        elif how == "flood":
            self.qmp.setblocking(True)
            try:
                self.qmp.sendall(b"x" * 2_000_000)
            except OSError:
                return
        elif how == "close":
            self.qmp.shutdown(socket.SHUT_RDWR)
        elif how != "never":
            self.later(float(how), lambda: self.tell(GREETING))

    def hear(self):
        try:
            data = self.qmp.recv(65536)
        except OSError:
            data = b""
        if not data:
            return False
        self.buffer = (self.buffer + data.decode()).lstrip()
        while self.buffer:
            try:
                message, end = scan_json(self.buffer, 0)
            except (ValueError, StopIteration):
                break
            self.buffer = self.buffer[end:].lstrip()
            self.obey(message)
        return True

    def obey(self, message):
        command = message.get("execute") or message.get("exec-oob")
        if command in self.deaf:
            return
        if command in self.refused:
            error = {"class": "GenericError", "desc": f"{command} is not to be had"}
            self.tell({"error": error, "id": message.get("id")})
            return
        answer = {}
        before = after = None
        match command:
            case "qmp_capabilities":
                after = lambda: self.phase("greeted")  # noqa: E731
            case "cont":
                before = lambda: self.event("RESUME", {})  # noqa: E731
                after = self.go
            case "stop":
                before = lambda: self.event("STOP", {})  # noqa: E731
                after = self.stop
            case "query-cpus-fast":
                answer = [{"thread-id": os.getpid(), "cpu-index": 0}]
            case "query-status":
                answer = {"status": "running" if self.running else "prelaunch"}
            case "system_reset":
                data = {"guest": False, "reason": "host-qmp-system-reset"}
                after = lambda: self.event("RESET", data)  # noqa: E731
            case "system_powerdown":
                before = lambda: self.event("POWERDOWN", {})  # noqa: E731
                after = lambda: self.later(0.02, lambda: self.end("guest-shutdown"))  # noqa: E731
            case "quit":
                after = lambda: self.end("host-qmp-quit")  # noqa: E731
        if before:
            before()
        self.tell({"return": answer, "id": message.get("id")})
        if after:
            after()

    # The guest.

    def stop(self):
        if self.stopped_at is None:
            self.stopped_at = time.monotonic()
            self.phase("stopped")

    def go(self):
        if self.stopped_at is not None:
            lost = time.monotonic() - self.stopped_at
            self.timers = [(due + lost, action) for due, action in self.timers]
            self.stopped_at = None
            self.heed()
        if self.running:
            return
        self.running = True
        args = self.args
        if text := args.get("console"):
            self.console.sendall(text.replace("+", " ").encode() + b"\r\n")
        self.console.sendall(bytes.fromhex(args.get("cry")))
        left = int(args.get("noise", "0")) // 100
        while left > 0:
            self.console.sendall((b"n" * 99 + b"\n") * min(left, 600))
            left -= 600
        self.phase("go")
        boot = args.seconds("boot", 0.05)
        self.later(boot / 2, lambda: self.phase("half"))
        if reason := args.get("shutdown"):
            self.later(boot, lambda: self.end(reason))
        elif not args.get("silent"):
            self.later(boot, self.speak)

    def first_line(
        self, number=None, text="Startup finished in 1.5s (kernel) + 2.5s (userspace) = 4s"
    ):
        return self.head(number) + self.rest(time.monotonic_ns(), text)

    def rest(self, sent_ns, text="Startup finished in 1.5s (kernel) + 2.5s (userspace) = 4s"):
        return f"{text} vm={self.args.vm} pid={os.getpid()} sent_ns={sent_ns}\n".encode()

    def head(self, number=None):
        return f"VMREPORTID:{self.args.vm if number is None else number}|||".encode()

    def details(self):
        uptime = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return (
            f"protocol=2\nclock_us={uptime}\nclock_resolution_us=10000\n"
            "FirmwareTimestampMonotonic=0\nLoaderTimestampMonotonic=0\n"
            "KernelTimestampMonotonic=0\nInitRDTimestampMonotonic=1000000\n"
            "UserspaceTimestampMonotonic=1500000\nFinishTimestampMonotonic=4000000\n"
            "Version=252\nSystemState=running\n"
            "[slowest]\n1.2s dev-vda.device\n"
            + ("1.1s " + "x" * 94 + "\n") * (int(self.args.get("details", "0")) // 100)
            + "[failed]\n[critical-chain]\nmulti-user.target @4s\n[end]\n"
        ).encode()

    def write(self, data):
        try:
            self.report.sendall(data)
        except OSError:
            return

    def port(self, opened):
        self.event("VSERPORT_CHANGE", {"open": opened, "id": "report"})

    def speak(self):
        kind = "said" if self.args.get("say") else self.args.get("report", "full")
        self.port(True)
        size = int(self.args.get("size", "2000000"))
        pace = self.args.seconds("pace", 0.05)
        numbers = {
            "other": self.args.vm + 1,
            "range": 999_999,
            "negative": -1,
            "huge": "9" * 40,
            "word": "zero",
        }
        whole = {
            "binary": bytes(range(256)) + b"\n",
            "utf8": self.first_line(text="caf\xe9").decode().encode("latin-1"),
            "half": self.head()[:-2],
            "empty": b"",
            "escapes": self.first_line(text="\x1b]0;owned\x07\x1b[31mred\u202etxt.exe\x00"),
            "markup": self.first_line(text="[red]x[/red] [@click=app.bell]y[/] <b>z</b> =1+1"),
            "bars": self.first_line(text="a|||b|||c"),
            "long": self.first_line(text="y" * 60_000),
            "twice": self.first_line() + self.first_line(),
            "first": self.first_line(),
            "said": self.head() + bytes.fromhex(self.args.get("say")) + b"\n",
        }
        if kind == "full" and self.args.in_phases:
            self.clock_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            self.sent_ns = time.monotonic_ns()
            self.write(self.head())
            self.waits = True
            self.poller.register(self.report, select.POLLIN)
            self.phase("reported")
            if "chatter" in self.args.settings:
                self.chatter(self.args.seconds("chatter", 0.05))
            return
        if kind in numbers:
            self.write(self.first_line(numbers[kind]))
        elif kind == "flood":
            while size > 0:
                self.write(b"z" * min(size, 65536))
                size -= 65536
        elif kind == "slow":
            line = self.first_line()
            for place, byte in enumerate(line):
                self.later(place * pace, lambda byte=byte: self.write(bytes([byte])))
            self.later(len(line) * pace, self.spoken)
            return
        elif kind == "pieces":
            for data in (self.first_line() + self.details()).split(b"e"):
                self.write(data)
                self.write(b"e")
        elif kind in whole:
            self.write(whole[kind])
        else:
            # Built first: its stamp is to be the last thing before the write.
            details = self.details()
            self.write(self.first_line() + details)
        self.spoken()

    # A guest that is led through phases.

    def listen(self):
        try:
            data = self.report.recv(4096)
        except OSError:
            data = b""
        self.words += data
        self.heed()
        return bool(data)

    def heed(self):
        while self.waits and self.stopped_at is None and b"\n" in self.words:
            word, _, self.words = self.words.partition(b"\n")
            match word.split():
                case [b"kernel"]:
                    self.tells_kernel = True
                case [b"details", *more]:
                    self.phase("details")
                    wait = self.args.seconds("gather", 0.01)
                    self.later(wait, lambda more=more: self.give_details(bool(more)))
                case [b"poweroff"]:
                    self.phase("off")
                    if (off := self.args.get("off", "0.05")) != "never":
                        self.later(float(off), lambda: self.end("guest-shutdown"))

    def give_details(self, with_order):
        whole = self.rest(self.sent_ns) + self.properties() + self.units(with_order)
        whole += self.kernel_log() if self.tells_kernel else b""
        whole += b"gathering_us=10000\n[end]\n"
        match self.args.get("collect"):
            case "nothing":
                return
            case "half":
                self.write(whole[: len(whole) // 2])
            case "twice":
                self.write(whole + whole)
            case "hangup":
                self.report.shutdown(socket.SHUT_RDWR)
            case _:
                self.write(whole)

    def properties(self):
        return (
            f"protocol=3\nclock_us={self.clock_us}\nclock_resolution_us=10000\n"
            "kernel_release=6.1.0\nkernel_command_line=quiet\n"
            "FirmwareTimestampMonotonic=0\nLoaderTimestampMonotonic=0\n"
            "KernelTimestampMonotonic=0\nInitRDTimestampMonotonic=1000000\n"
            "UserspaceTimestampMonotonic=1500000\nFinishTimestampMonotonic=4000000\n"
            "Version=252\nSystemState=running\n"
        ).encode()

    def units(self, with_order):
        return b"[units]\n" + b"\n".join(
            (f"After={after}\n" if with_order else "").encode()
            + f"Id={name}\nActiveState=active\nSubState=running\nResult=success\n"
            f"InactiveExitTimestampMonotonic={start}\nActiveEnterTimestampMonotonic={up}\n"
            "ActiveExitTimestampMonotonic=0\nInactiveEnterTimestampMonotonic=0\n".encode()
            for name, after, start, up in (
                ("basic.target", "", 2_000_000, 2_000_000),
                ("slow.service", "basic.target", 2_000_000, 3_500_000),
                *(
                    (f"{'x' * 90}{number}.service", "", 2_000_000, 2_000_001)
                    for number in range(int(self.args.get("details", "0")) // 300)
                ),
            )
        )

    def kernel_log(self):
        log = self.args.get("kernel").replace("+", " ").replace("|", "\n")
        return f"[kernel]\n{log}\n".encode()

    def chatter(self, wait):
        self.write(b"x" * 99 + b"\n")
        self.later(wait, lambda: self.chatter(wait))

    def spoken(self):
        self.port(False)
        self.phase("reported")
        off = self.args.get("off", "0.05")
        if off != "never":
            self.later(float(off), lambda: self.end("guest-shutdown"))

    def end(self, reason):
        guest = reason.startswith("guest")
        self.event("SHUTDOWN", {"guest": guest, "reason": reason})
        self.gone = True

    def connect(self):
        if self.args.get("noport"):
            return
        self.report = socket.socket(socket.AF_UNIX)
        self.report.connect(self.args.report)
        if self.args.get("stranger"):
            self.other = socket.socket(socket.AF_UNIX)
            self.other.connect(self.args.report)
            try:
                self.other.sendall(self.first_line(self.args.vm + 1))
            except OSError:
                return

    def run(self):
        if text := self.args.get("stderr"):
            print(text.replace("+", " "), file=sys.stderr, flush=True)
        self.phase("start")
        self.connect()
        self.phase("connected")
        self.greet()
        if self.args.get("report") == "early":
            self.write(self.first_line())
        poller = self.poller
        poller.register(self.qmp, select.POLLIN)
        while not self.gone:
            runs = self.timers and self.stopped_at is None
            wait = max(0, self.timers[0][0] - time.monotonic()) * 1000 if runs else None
            ready = dict(poller.poll(wait))
            if self.qmp.fileno() in ready and not self.hear():
                poller.unregister(self.qmp)
            if self.report and self.report.fileno() in ready and not self.listen():
                poller.unregister(self.report)
            while self.timers and self.timers[0][0] <= time.monotonic() and not self.gone:
                if self.stopped_at is not None:
                    break
                self.timers.pop(0)[1]()


def main():
    if "-version" in sys.argv or "--version" in sys.argv:
        print("QEMU emulator version 7.2.0 (stand-in)")
    elif "help" in sys.argv:
        print("Accelerators supported in QEMU binary:\ntcg\nkvm")
    else:
        StandIn(Arguments(sys.argv)).run()
