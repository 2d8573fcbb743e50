"""Batons that start at once: forked from a process that has loaded their code, and done nothing else.

To load it takes longer than all the rest of a start, and is not what an experiment is about that kills hundreds of
them. Each is a process of its own, with its own environment, arguments and log, and dies like any other. What is not
here: which are started, and what is done to them (`town`).
"""

from __future__ import annotations

import gc
import json
import os
import random
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chaos.race import ROOT

#: What is loaded before: the rest is loaded when it is run.
_MODULES = (
    "bot.cli",
    "bot.commands.serving",
    "bot.commands.backing_up",
    "bot.commands.restoring",
    "bot.commands.erasing",
)
_BORN_SECONDS = 60.0


class Forked:
    """As much of a `subprocess.Popen` as experiments use."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks = forks
        self.pid = pid

    @property
    def returncode(self) -> int | None:
        """As `Popen` has it: minus the signal that ended it."""
        return self._forks.codes.get(self.pid)

    def poll(self) -> int | None:
        """Its exit code, once it is gone."""
        self._forks.listen(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. TimeoutError when that takes longer."""
        until = None if timeout is None else time.monotonic() + timeout
        while (code := self.returncode) is None:
            left = 1.0 if until is None else until - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"process {self.pid} is still there")
            self._forks.listen(min(left, 1.0))
        return code

    def send_signal(self, number: int) -> None:
        """Nobody else has its number until it was waited for, and that is told to us first."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Forks:
    """The process from which they are forked; started when first needed."""

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self._born: list[int] = []
        self._parent: subprocess.Popen[bytes] | None = None
        self._rest = b""

    def start(self, module: str, words: Sequence[str], env: Mapping[str, str], log: Path) -> Forked:
        """`python -m module words…`, with what it says at the end of `log`."""
        if self._parent is None:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "chaos.forks"],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            )  # fmt: skip
        wanted = {"module": module, "words": list(words), "env": dict(env), "log": str(log)}
        pipe = self._parent.stdin
        assert pipe is not None  # noqa: S101 - a pipe by construction
        pipe.write(json.dumps(wanted).encode() + b"\n")
        pipe.flush()
        until = time.monotonic() + _BORN_SECONDS
        while not self._born:
            if time.monotonic() > until:
                raise RuntimeError("no process was forked")
            self.listen(1.0)
        pid = self._born.pop()
        self.codes.pop(pid, None)
        return Forked(self, pid)

    def listen(self, seconds: float) -> None:
        """Hear who was born and who died, waiting for so long."""
        if self._parent is None or self._parent.stdout is None:
            return
        pipe = self._parent.stdout.fileno()
        if not select.select([pipe], [], [], seconds)[0]:
            return
        said = os.read(pipe, 65536)
        if not said:
            raise RuntimeError("the process that forks is gone")
        *lines, self._rest = (self._rest + said).split(b"\n")
        for line in lines:
            what, pid, code = line.split()
            if what == b"born":
                self._born.append(int(pid))
            else:
                self.codes[int(pid)] = int(code)

    def end(self) -> None:
        """And whoever still runs ends too."""
        if self._parent is not None:
            self._parent.communicate()


# ------------------------------------------------------------------ in that process


def _serve() -> dict[str, Any]:
    """Fork whatever is asked for, and tell who dies. Returns in a child, with what it is to do; ends with our input."""
    told, woken = os.dup(1), os.pipe()
    os.dup2(2, 1)  # nothing else is said there
    for end in woken:
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken[1])
    signal.signal(signal.SIGCHLD, lambda *_: None)
    rest, living = b"", set[int]()
    while True:
        ready = select.select([0, woken[0]], [], [])[0]
        if woken[0] in ready:
            os.read(woken[0], 4096)
            _tell_deaths(told, living)
        if 0 not in ready:
            continue
        said = os.read(0, 65536)
        if not said:  # whoever asked is gone, and would have ended them
            for pid in living:
                os.kill(pid, signal.SIGKILL)
            os._exit(0)
        *lines, rest = (rest + said).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for handle in (told, *woken):
                    os.close(handle)
                task: dict[str, Any] = json.loads(line)
                return task
            living.add(pid)
            os.write(told, f"born {pid} 0\n".encode())


def _tell_deaths(told: int, living: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        living.discard(pid)
        os.write(told, f"died {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def _become(task: dict[str, Any]) -> None:
    """From here on it is what was asked for."""
    log = os.open(task["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for handle, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(handle, place)
    for handle in (nothing, log):
        os.close(handle)
    os.environ.clear()
    os.environ.update(task["env"])
    random.seed()
    sys.argv = [task["module"], *task["words"]]
    runpy.run_module(task["module"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in _MODULES:
        __import__(name)
    gc.freeze()
    _become(_serve())
