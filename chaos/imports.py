"""`baton import` killed at random moments and run again leaves what one run leaves: leads, pasts, journals, counts.

The real command in a process of its own; SIGKILL, so nothing of it gets to run. What is not here: what two databases
are compared by (`imported`).
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from chaos.demo_process import DemoProcess, Doors
from chaos.experiment import Experiment, Ground
from chaos.imported import books_of, cursor_of, differences, unaccounted
from chaos.race import ROOT, made_leads
from chaos.verdict import Verdict
from storage.database import Database

_RUN = 600.0
_RATE = re.compile(r": ([\d,]+) rows in ([\d.]+) s")
#: The command in a process that says in the end how much memory it took at most.
_MEASURED = """
import json, sys
from bot.cli import main
code = main(sys.argv[1:])
# Not `ru_maxrss`: that is at least what the process had that started this one.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"peak": int(peak.split()[1]) * 1024}), file=sys.stderr)
sys.exit(code)
"""


@dataclass(frozen=True, slots=True)
class Export:
    """What is imported, and how: a CSV file, its map, the playbook that judges."""

    file: Path
    map: Path
    mode: str
    playbook: Path


@dataclass(slots=True)
class Done:
    """How a run of the command ended."""

    code: int
    out: str
    err: str
    seconds: float

    @property
    def figures(self) -> dict[str, Any]:
        """Rows, rows a second, peak memory in MB."""
        found = _RATE.search(self.out)
        rows, seconds = (found[1].replace(",", ""), found[2]) if found else ("0", "1")
        peak = [json.loads(each)["peak"] for each in self.err.splitlines() if '"peak"' in each]
        return {
            "rows": int(rows),
            "rows/s": round(int(rows) / max(float(seconds), 0.001)),
            "peak MB": round(max(peak, default=0) / 1e6),
        }


class Command:
    """`baton import` of one export into one database."""

    def __init__(self, export: Export, url: str) -> None:
        self._export = export
        self._env = {
            **{n: v for n, v in os.environ.items() if not n.startswith(("SLACK_", "BATON_"))},
            "DATABASE_URL": url,
            "BATON_PLAYBOOK": str(export.playbook),
        }

    def run(self) -> Done:
        """To its end."""
        began = time.monotonic()
        with self._started() as process:
            out, err = process.communicate(timeout=_RUN)
        return Done(process.returncode, out, err, time.monotonic() - began)

    def run_until(self, database: Database, rows: int, delay: float) -> bool:
        """Kill it so long after so many rows are counted; False when it ended before."""
        with self._started() as process:
            while process.poll() is None and cursor_of(database) < rows:
                time.sleep(0.01)
            time.sleep(delay)
            ended = process.poll() is not None
            if not ended:
                process.kill()
            process.communicate()
        return not ended

    @contextmanager
    def _started(self) -> Iterator[subprocess.Popen[str]]:
        export = self._export
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", _MEASURED, "import", str(export.file)),
                *("--map", str(export.map), "--as", export.mode),
            ],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def import_kills(
    undisturbed: str, disturbed: str, export: Export, *, kills: int, seed: int
) -> Verdict:
    """One import into each of two empty databases, the second one killed on its way; then both once more."""
    verdict = Verdict(kills, seed)
    one, other = Database(undisturbed), Database(disturbed)
    began = time.monotonic()
    try:
        calm = Command(export, undisturbed)
        first = calm.run()
        if first.code not in (0, 1) or not _RATE.search(first.out):
            verdict.faults.append(f"ended with {first.code}: {first.err[-500:]}")
            return verdict
        records = cursor_of(one)
        before = books_of(one)
        again = calm.run()
        if again.code != 0 or books_of(one) != before:
            verdict.faults.append(f"run again it changed something: {again.out[-500:]}")
        done = _kill_on_the_way(Command(export, disturbed), other, records, kills, seed)
        verdict.figures = {"mode": export.mode, **first.figures, "kills": done}
        verdict.faults += differences(one, other)
        for database in (one, other):
            verdict.faults += unaccounted(database, records)
            verdict.faults += _never_made(database, export.mode)
        if done < kills:
            verdict.faults.append(f"only {done} of {kills} kills hit: the file is too short")
    finally:
        one.dispose()
        other.dispose()
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


def import_beside(home: Path, export: Export) -> Verdict:
    """An import into the database of a running demo, which takes leads all the while: how long does each wait?"""
    return asyncio.run(_import_beside(home, export))


async def _import_beside(home: Path, export: Export) -> Verdict:
    verdict = Verdict(1, 0)
    began = time.monotonic()
    demo = DemoProcess(home, export.playbook.read_text(encoding="utf-8"))
    limit = aiohttp.ClientTimeout(total=15)
    async with aiohttp.ClientSession(trust_env=False, timeout=limit) as session:
        try:
            await demo.start(session)
            doors = Doors(demo, session)
            importing = asyncio.create_task(
                asyncio.to_thread(Command(export, demo.database_url).run)
            )
            waits: list[float] = []
            for lead in made_leads(100_000, name="beside"):
                if importing.done():
                    break
                asked = time.monotonic()
                answer = await doors.leads(lead["external_id"], [lead])
                waits.append(round(time.monotonic() - asked, 3))
                if answer is None or answer[0] != 202:
                    verdict.faults.append(f"{lead['external_id']}: answered {answer}")
                await asyncio.sleep(0.1)
            done = await importing
            stopped = demo.stop()
        finally:
            demo.end()
    database = Database(demo.database_url)
    try:
        verdict.faults += unaccounted(database, cursor_of(database), others=len(waits))
    finally:
        database.dispose()
    if done.code not in (0, 1) or stopped not in (0, -15):
        verdict.faults.append(f"the import ended with {done.code}, the demo with {stopped}")
    verdict.n = max(len(waits), 1)
    waits.sort()
    verdict.figures = {
        "mode": export.mode,
        **done.figures,
        "leads taken beside": len(waits),
        "median s": waits[len(waits) // 2],
        "slowest s": waits[-1],
    }
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict


def _kill_on_the_way(
    command: Command, database: Database, records: int, kills: int, seed: int
) -> int:
    """Kill at places that follow from the seed; how many kills hit a running import."""
    rng = random.Random(seed)
    places = sorted(rng.uniform(0, 0.9) for _ in range(kills))
    hit = sum(
        command.run_until(database, int(place * records), rng.uniform(0, 0.15)) for place in places
    )
    command.run()
    return hit


def _never_made(database: Database, mode: str) -> list[str]:
    """History is told and offers wait: nothing is offered, nothing ticks, nothing is posted but a review's notice."""
    books = books_of(database)
    posts = 1 if mode == "review" else 0
    found = {name: books[name] for name in ("offers", "clocks", "timers") if books[name]}
    if books["outbox"] > posts:
        found["outbox"] = books["outbox"]
    return [f"an import made {found}"] if found else []


def _imported(ground: Ground) -> Verdict:
    """An export made of the sample's rows over and over, each row another person."""
    with (ROOT / "samples" / "leads.csv").open(encoding="utf-8", newline="") as source:
        header, *read = csv.reader(source, delimiter=";")
    rows = [
        row for row in read if len(row) == len(header)
    ]  # the sample has a broken one on purpose
    file = ground.folder / "export.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        export_of = csv.writer(out, delimiter=";")
        export_of.writerow(header)
        for number in range(ground.size):
            key, name, email, *rest = rows[number % len(rows)]
            export_of.writerow([f"{key}-{number}", f"{name} {number}", f"{number}.{email}", *rest])
    export = Export(file, ROOT / "samples" / "leads.map.yaml", "history", ROOT / "playbook.yaml")
    kills = max(3, ground.size // 500)
    return import_kills(ground.spare, ground.url, export, kills=kills, seed=ground.seed)


EXPERIMENTS = (
    Experiment(
        "import",
        "an import killed and run again, beside one that is not",
        "both databases hold the same: every row ends once as lead, duplicate or named reject",
        "the cursor written apart from its rows: leads twice or missing",
        everyday=2_000,
        full=10_000,
        run=_imported,
    ),
)
