"""`python -m chaos [experiment …]`: the experiments at full size; a line of JSON and one of text each.

Experiments: clicks, http, timers, due, intake, receiver, sockets (each on SQLite and PostgreSQL) and kill; all of them
when none is named. `python -m chaos import FILE --map MAP`: an import of your file, killed and run again (`--help` for
its options). Options: `--seed N`, `--offers N` (races), `--leads N --fail SHARE` (receiver), `--cuts N` (sockets),
`--rounds N --leads N --clicks N --kills N` (kill). Exit code 1: something did not hold. What is not here: the
experiments.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.logs import configure_logging
from chaos.clicks import Verdict, click_race
from chaos.http_clicks import http_click_race
from chaos.imports import Export, import_beside, import_kills
from chaos.intake import intake_race
from chaos.kill_demo import Plan, kill_round
from chaos.race import ROOT
from chaos.receiver import receiver_storm
from chaos.sockets import socket_race
from chaos.timers import due_race, tick_race
from tests.postgres import running_server, stop_server
from tests.schema import create_schema

Race = Callable[[str, Path, argparse.Namespace], Verdict]

RACES: dict[str, tuple[Race, str]] = {
    "clicks": (
        lambda url, _, given: click_race(url, offers=given.offers, seed=given.seed),
        "two processes click the same offers",
    ),
    "http": (
        lambda url, folder, given: http_click_race(
            url, folder, offers=given.offers, seed=given.seed
        ),
        "two processes click the same offers over signed HTTP",
    ),
    "timers": (
        lambda url, _, given: tick_race(url, leads=given.offers, seed=given.seed),
        "two processes tick over the same timers",
    ),
    "due": (
        lambda url, _, given: due_race(url, offers=given.offers, seed=given.seed),
        "a click at the moment the offer lapses",
    ),
    "receiver": (
        lambda url, _, given: receiver_storm(
            url, leads=given.leads or 1000, fail=given.fail, seed=given.seed
        ),
        "a webhook receiver that fails in a share of all calls",
    ),
    "intake": (
        lambda url, _, given: intake_race(url, leads=given.offers, seed=given.seed),
        "two processes are sent the same leads",
    ),
    "sockets": (
        lambda url, folder, given: socket_race(
            url, folder, offers=max(6, given.offers // 10), cuts=given.cuts, seed=given.seed
        ),
        "the lines of Socket Mode are cut in the middle of clicks, commands and leads",
    ),
}


def main() -> int:
    """Run what was asked for."""
    if sys.argv[1:2] == ["import"]:
        return _import(sys.argv[2:])
    given = _arguments()
    configure_logging("ERROR", sys.stderr)
    wanted = given.experiments or [*RACES, "kill"]
    with tempfile.TemporaryDirectory(prefix="baton-chaos-") as name:
        scratch = Path(name)
        sound = True
        for experiment in wanted:
            if experiment == "kill":
                sound &= _kill(scratch, given)
                continue
            race, about = RACES[experiment]
            for kind, url, folder in _databases(scratch, experiment):
                sound &= _tell(f"{about}, {kind}", race(url, folder, given))
    return 0 if sound else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos")
    parser.add_argument("experiments", nargs="*", metavar="experiment")
    for name, value in (
        ("seed", 1), ("offers", 1000), ("rounds", 1), ("leads", 0), ("clicks", 200), ("kills", 20),
        ("cuts", 40),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--fail", type=float, default=0.3)
    given = parser.parse_args()
    unknown = set(given.experiments) - {*RACES, "kill"}
    if unknown:
        parser.error(f"there is no experiment {', '.join(sorted(unknown))}")
    return given


def _import(words: Sequence[str]) -> int:
    """An import killed and run again, of a file that the caller has, on both databases."""
    parser = argparse.ArgumentParser(prog="python -m chaos import")
    parser.add_argument("file", type=Path)
    parser.add_argument("--map", type=Path, required=True)
    parser.add_argument("--mode", choices=("history", "offer", "review"), default="history")
    parser.add_argument("--playbook", type=Path, default=ROOT / "playbook.yaml")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beside", action="store_true", help="also beside a running demo")
    given = parser.parse_args(words)
    sound = True
    with tempfile.TemporaryDirectory(prefix="baton-chaos-") as name:
        scratch = Path(name)
        file = scratch / given.file.name  # refused rows are written beside it
        shutil.copyfile(given.file, file)
        export = Export(file, given.map.resolve(), given.mode, given.playbook.resolve())
        calm, killed = (_databases(scratch, each) for each in ("calm", "killed"))
        for (kind, one, _), (_, other, _) in zip(calm, killed, strict=True):
            verdict = import_kills(one, other, export, kills=given.kills, seed=given.seed)
            sound &= _tell(f"an import killed and run again, {kind}", verdict)
        if given.beside:
            verdict = import_beside(scratch / "demo", export)
            sound &= _tell("an import beside a running demo, SQLite", verdict)
    return 0 if sound else 1


def _databases(scratch: Path, experiment: str) -> Iterator[tuple[str, str, Path]]:
    """An empty database of each kind, and a folder beside it."""
    for kind in ("SQLite", "PostgreSQL"):
        folder = scratch / f"{experiment}-{kind}"
        folder.mkdir()
        if kind == "SQLite":
            url = f"sqlite:///{folder / 'baton.db'}"
            create_schema(url)
            yield kind, url, folder
        else:
            with _postgres(folder) as url:
                yield kind, url, folder


@contextmanager
def _postgres(folder: Path) -> Iterator[str]:
    server = running_server(folder, os.getpid())
    try:
        with server.database(server.template(folder, create_schema)) as url:
            yield url
    finally:
        stop_server(folder)


def _kill(scratch: Path, given: argparse.Namespace) -> bool:
    """Rounds of the kill experiment, each in a new folder with a seed of its own; one verdict for all."""
    total = Verdict(0, given.seed)
    sums: Counter[str] = Counter()
    most: dict[str, float] = {}
    began = time.monotonic()
    for number in range(given.rounds):
        plan = Plan(given.leads or 500, given.clicks, given.kills, seed=given.seed + number)
        verdict = kill_round(scratch / f"kill-{number}", plan)
        print(f"  round {number + 1}: {json.dumps(verdict.figures)}", file=sys.stderr, flush=True)
        total.n += verdict.figures["kills"]
        total.faults += [f"seed {plan.seed}: {fault}" for fault in verdict.faults]
        for name, value in verdict.figures.items():
            if "seconds" in name:
                most[name] = max(most.get(name, 0), value)
            else:
                sums[name] += value
    total.seconds = round(time.monotonic() - began, 1)
    total.figures = {**sums, **most}
    return _tell("kill -9 of the demo in the middle of leads and clicks, SQLite", total)


def _tell(about: str, verdict: Verdict) -> bool:
    bound = round(3 / verdict.n, 5) if verdict.n else None
    print(
        json.dumps({
            "experiment": about, "commit": _commit(), "n": verdict.n, "seed": verdict.seed,
            "seconds": verdict.seconds, "figures": verdict.figures, "faults": len(verdict.faults),
            "first faults": verdict.faults[:20], "bound": bound,
        })
    )  # fmt: skip
    said = "held" if not verdict.faults else f"{len(verdict.faults)} FAULTS"
    print(
        f"{about}: n = {verdict.n}, {said}, rate below {bound} (3/n), {verdict.seconds} s",
        flush=True,
    )
    return not verdict.faults


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
