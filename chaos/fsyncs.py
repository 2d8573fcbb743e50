"""Whether the disk was told before the sender was: the order of fsyncs and answers, seen by `strace`.

A killed process loses nothing that the system has in memory, so kills cannot show this. Only SQLite: PostgreSQL sees to
its own disk. Without `strace`, or where tracing is not allowed, nothing is tried and the verdict says so. What is not
here: whether the drive keeps what it was told to.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time

from chaos.experiment import SQLITE, Experiment, Ground
from chaos.race import ROOT, made_leads
from chaos.town import Baton, Town, town
from chaos.verdict import Verdict

_CALLS = "trace=read,recvfrom,recvmsg,write,sendto,sendmsg,writev,fsync,fdatasync"
_ASKED = re.compile(r'"POST /leads')
_TOLD = re.compile(r'"HTTP/1\.1 202')
_SYNCED = re.compile(r"\b(fsync|fdatasync)\(")
#: What the last lead left to be delivered must have been written before the next one comes.
PAUSE = 0.25


def fsync_order(ground: Ground) -> Verdict:
    """`ground.size` leads, one after the other."""
    return asyncio.run(_fsync_order(ground))


async def _fsync_order(ground: Ground) -> Verdict:
    verdict = Verdict(0, ground.seed)
    if not _can_trace():
        verdict.figures = {"not tried": "strace is not there, or may not trace"}
        return verdict
    trace = ground.folder / "trace"
    async with town(ground) as here:
        door = here.place("run")
        _start_traced(here, door, str(trace))
        await here.ready(door)
        began = time.monotonic()
        taken = 0
        for number, lead in enumerate(made_leads(ground.size)):
            status, _ = await here.send(door, f"f{number}", [lead])
            taken += status == 202
            await asyncio.sleep(PAUSE)
        verdict.seconds = round(time.monotonic() - began, 1)
    answers, unsynced = judge(trace.read_text(encoding="utf-8", errors="replace").splitlines())
    verdict.n = answers
    verdict.figures = {"leads": taken, "answers seen": answers, "without fsync": unsynced}
    if answers != ground.size:
        verdict.faults.append(f"{ground.size} leads, {answers} answers in the trace")
    if unsynced:
        verdict.faults.append(f"{unsynced} of {answers} answers came without an fsync before them")
    return verdict


def judge(lines: list[str]) -> tuple[int, int]:
    """Answers to leads in a trace, and how many of them without an fsync since their request was read."""
    answers = unsynced = 0
    synced = False
    for line in lines:
        if _ASKED.search(line):
            synced = False
        elif _SYNCED.search(line):
            synced = True
        elif _TOLD.search(line):
            answers += 1
            unsynced += not synced
    return answers, unsynced


def _can_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-qq", "true"], capture_output=True, check=False)
    return tried.returncode == 0


def _start_traced(here: Town, door: Baton, trace: str) -> None:
    port = door.address.rpartition(":")[2]
    with door.log.open("ab") as log:
        door.process = subprocess.Popen(
            # -D: the process is Baton itself, and is who gets killed.
            ["strace", "-D", "-f", "-qq", "-s", "24", "-e", _CALLS, "-o", trace, sys.executable, "-m", "bot", "run"],
            cwd=ROOT,
            env={**here.env, "HOST": "127.0.0.1", "PORT": port},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )  # fmt: skip


EXPERIMENTS = (
    Experiment(
        "fsyncs",
        "the disk is told before the sender is",
        "0 answers without an fsync since their request",
        "synchronous=NORMAL: 15 of 15 answers without an fsync",
        everyday=60,
        full=1_000,
        run=fsync_order,
        kinds=(SQLITE,),
    ),
)
