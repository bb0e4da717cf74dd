"""Commands in processes of their own, which can be stopped and killed. They are forked from a server that has loaded
what they need: one that loads that by itself takes seconds."""

import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

MAIN = "from undertow.cli.main import main; main()"
RUN = """
import os, signal, sys
os.environ.clear()
os.environ.update({environment!r})
for number, path in enumerate({out!r}, start=1):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
os.chdir({folder!r})
sys.path.insert(0, "")
sys.argv = ["undertow", *{arguments!r}]
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
{code}
"""
TO_THE_END = """
try:
    exec({said!r})
finally:
    import atexit, gc
    atexit._run_exitfuncs()
    gc.collect()
"""
"""A process of `multiprocessing` ends without what an interpreter does at its end, which may have something to say."""
SERVER = """
import importlib, os, signal, socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
for name in sys.argv[2:]:
    importlib.import_module(name)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the watchers
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    said, fds, _, _ = socket.recv_fds(channel, 2**20, 1)
    if not said:
        os._exit(0)
    (told,) = fds
    if os.fork():
        os.close(told)
        continue
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if pid := os.fork():  # a watcher, which tells how its command ended
        os.write(told, b"%d\\n" % pid)
        os.write(told, b"%d\\n" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    break
channel.close()
os.close(told)
exec(said)
"""


class Apart:
    """A command that has been begun."""

    def __init__(self, process, out):
        """
        Args:
            process: has its `pid`, its `exitcode` and `join`.
            out: a folder, in whose `stdout` and `stderr` is what it writes.
        """
        self._process, self._out = process, out

    @property
    def pid(self):
        return self._process.pid

    def poll(self):
        """Its exit code; None while it runs."""
        return self._process.exitcode

    def said(self):
        """What it wrote to stdout and to stderr so far."""
        paths = [self._out / name for name in ("stdout", "stderr")]
        return tuple(path.read_text() if path.exists() else "" for path in paths)

    def send(self, how):
        os.kill(self.pid, how)

    def ended(self, *, within=120):
        """Its exit code and all that it wrote, once it has ended."""
        self._process.join(within)
        if self.poll() is None:
            self.send(signal.SIGKILL)
            raise AssertionError(f"it goes on after {within} s: {self.said()}")
        return self.poll(), *self.said()


def told(arguments, *, folder, out, code=MAIN):
    """The code of a command's process."""
    return RUN.format(
        environment=dict(os.environ),
        out=[str(out / "stdout"), str(out / "stderr")],
        folder=str(folder),
        arguments=[str(argument) for argument in arguments],
        code=code,
    )


def trained_apart(*arguments, out, **how):
    """Begins a command in a process that has loaded what training needs, from the server of a study's processes."""
    from undertow.studies.executors.local import LOADED

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    process = context.Process(target=exec, args=(TO_THE_END.format(said=told(arguments, out=out, **how)),))
    process.start()
    return Apart(process, out)


class Server:
    """Forks commands from an interpreter in development mode, which tells of all that is left open. A context
    manager."""

    def __init__(self, *loaded):
        self._loaded = loaded

    def __enter__(self):
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-c", SERVER, str(theirs.fileno()), *self._loaded],
                pass_fds=[theirs.fileno()],
            )
        return self

    def __exit__(self, *error):
        self._channel.close()
        self._process.wait(60)

    def begin(self, *arguments, out, **how):
        ours, theirs = os.pipe()
        socket.send_fds(self._channel, [told(arguments, out=out, **how).encode()], [theirs])
        os.close(theirs)
        return Apart(_Watched(ours), out)


class _Watched:
    """A process whose watcher writes its id and its exit code to a pipe."""

    def __init__(self, pipe):
        self._pipe, self._lines, self._rest = pipe, [], b""
        while not self._lines:
            self._read(None)
        self.pid = int(self._lines[0])

    def __del__(self):
        with suppress(OSError):
            os.close(self._pipe)

    @property
    def exitcode(self):
        if len(self._lines) < 2:
            self._read(0)
        return int(self._lines[1]) if len(self._lines) > 1 else None

    def join(self, timeout):
        until = time.monotonic() + timeout
        while len(self._lines) < 2 and time.monotonic() < until:
            self._read(until - time.monotonic())

    def _read(self, timeout):
        if select.select([self._pipe], [], [], timeout)[0]:
            got = os.read(self._pipe, 100)
            assert got, "the server of the command has ended"
            *lines, self._rest = (self._rest + got).split(b"\n")
            self._lines += lines
