"""`python -m chaos [experiment …]`: all experiments, or those named; a line each, results in `artifacts/chaos`.

Options: `--full`: the full numbers, one after the other; stopped and started again it goes on where it was.
`--size N`, `--seed N`; `--list`: what there is; `--docs`: fills the tables of `docs/reliability.md`.
`python -m chaos import FILE --map MAP`: an import of your file, killed and run again. Exit code 1: something did not
hold. What is not here: the experiments.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bot.logs import configure_logging
from chaos import registry, results
from chaos.experiment import POSTGRES, SQLITE, Experiment, Ground
from chaos.imports import Export, import_beside, import_kills
from chaos.race import ROOT
from chaos.verdict import Verdict
from tests.postgres import running_server, stop_server
from tests.schema import create_schema


def main() -> int:
    """Run what was asked for."""
    words = sys.argv[1:]
    if words[:1] == ["import"] and "--map" in words:
        return _import(words[1:])
    given = _arguments(words)
    if given.list:
        for each in registry.EXPERIMENTS:
            print(f"{each.name:<12} {each.about}\n{'':12} must hold: {each.criterion}")
            print(
                f"{'':12} everyday {each.everyday:,}, full {each.full:,}; {', '.join(each.kinds)}"
            )
        return 0
    if given.docs:
        results.write_docs(registry.EXPERIMENTS)
        return 0
    configure_logging("ERROR", sys.stderr)
    # Of the stand-in's server: that somebody was killed while they were answered.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # Unless it is asked for: a full soak takes a night of its own.
    wanted = [
        each
        for each in registry.EXPERIMENTS
        if each.name in given.experiments
        or (not given.experiments and not (given.full and each.name == "soak"))
    ]
    found: list[results.Result] = []
    for experiment in wanted:
        for kind in experiment.kinds:
            result = _result(experiment, kind, given)
            found.append(result)
            print(results.told(experiment, result), flush=True)
            for fault in result.first_faults:
                print(f"    {fault}", flush=True)
    return 0 if all(result.held for result in found) else 1


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m chaos")
    parser.add_argument("experiments", nargs="*", metavar="experiment")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--docs", action="store_true")
    given = parser.parse_args(words)
    unknown = [name for name in given.experiments if registry.find(name) is None]
    if unknown:
        known = ", ".join(each.name for each in registry.EXPERIMENTS)
        parser.error(f"there is no experiment {', '.join(unknown)}; there are {known}")
    return given


def _result(experiment: Experiment, kind: str, given: argparse.Namespace) -> results.Result:
    size = given.size or (experiment.full if given.full else experiment.everyday)
    if given.full and (known := results.find(experiment, kind, size, given.seed)) is not None:
        return known
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="baton-chaos-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the database server runs as somebody else
        with _databases(folder, kind) as (url, spare):
            try:
                verdict = experiment.run(Ground(kind, url, folder, size, given.seed, spare))
            except Exception as error:  # the others are run all the same
                said = "".join(traceback.format_exception(error))[-2000:]
                verdict = Verdict(0, given.seed, faults=[f"did not come to its end: {said}"])
    verdict.seconds = verdict.seconds or round(time.monotonic() - began, 1)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return results.keep(experiment, kind, size, verdict, now)


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
    for kind in (SQLITE, POSTGRES):
        with tempfile.TemporaryDirectory(prefix="baton-chaos-") as name:
            folder = Path(name)
            folder.chmod(0o711)
            export = _copied(given, folder)
            with _databases(folder, kind) as (calm, killed):
                verdict = import_kills(calm, killed, export, kills=given.kills, seed=given.seed)
            sound &= _tell(f"an import killed and run again, {kind}", verdict)
    if given.beside:
        with tempfile.TemporaryDirectory(prefix="baton-chaos-") as name:
            verdict = import_beside(Path(name) / "demo", _copied(given, Path(name)))
            sound &= _tell("an import beside a running demo, SQLite", verdict)
    return 0 if sound else 1


def _copied(given: argparse.Namespace, folder: Path) -> Export:
    """Refused rows are written beside the file: beside a copy, here."""
    file = folder / given.file.name
    shutil.copyfile(given.file, file)
    return Export(file, given.map.resolve(), given.mode, given.playbook.resolve())


@contextmanager
def _databases(folder: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Two empty databases with our tables."""
    if kind == SQLITE:
        urls = [f"sqlite:///{folder / name}.db" for name in ("baton", "spare")]
        for url in urls:
            create_schema(url)
        yield urls[0], urls[1]
        return
    server = running_server(folder, os.getpid())
    try:
        template = server.template(folder, create_schema)
        with ExitStack() as stack:
            one, other = (stack.enter_context(server.database(template)) for _ in range(2))
            yield one, other
    finally:
        stop_server(folder)


def _tell(about: str, verdict: Verdict) -> bool:
    said = "held" if not verdict.faults else f"{len(verdict.faults)} FAULTS"
    print(f"{about}: n = {verdict.n}, {said}, below {verdict.bound} (3/n), {verdict.seconds} s")
    print(f"    {verdict.figures}", *verdict.faults[:20], sep="\n    ", flush=True)
    return not verdict.faults


if __name__ == "__main__":
    sys.exit(main())
