"""What experiments found, kept as JSON, one file each; and tables of it for `docs/reliability.md`.

A full run takes hours: it can be stopped and goes on where it was, since a result of the same commit is not measured
again. What is not here: running them (`__main__`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos.experiment import Experiment
from chaos.machine import ROOT, commit, machine
from chaos.verdict import Verdict

FOLDER = ROOT / "artifacts" / "chaos"
PAGE = ROOT / "docs" / "reliability.md"


@dataclass(frozen=True, slots=True)
class Result:
    """A verdict, and where and when it was found."""

    experiment: str
    kind: str
    size: int
    seed: int
    n: int
    seconds: float
    figures: dict[str, Any]
    faults: int
    first_faults: list[str]
    bound: float | None
    commit: str
    machine: str
    at: str

    @property
    def held(self) -> bool:
        """No fault was found."""
        return not self.faults


def keep(experiment: Experiment, kind: str, size: int, verdict: Verdict, at: str) -> Result:
    """Write one down."""
    result = Result(
        experiment.name, kind, size, verdict.seed, verdict.n, verdict.seconds, verdict.figures,
        len(verdict.faults), verdict.faults[:20], verdict.bound, commit(), machine(), at,
    )  # fmt: skip
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(result), indent=1, ensure_ascii=False, default=str)
    _file(experiment.name, kind, size, verdict.seed).write_text(text + "\n", encoding="utf-8")
    return result


def find(experiment: Experiment, kind: str, size: int, seed: int) -> Result | None:
    """What was found at this commit already, if it held; never for a changed checkout."""
    file = _file(experiment.name, kind, size, seed)
    here = commit()
    if here.endswith("-dirty") or not file.exists():
        return None
    result = Result(**json.loads(file.read_text(encoding="utf-8")))
    return result if result.commit == here and result.held else None


def told(experiment: Experiment, result: Result) -> str:
    """One line for whoever looks on."""
    said = "held" if result.held else f"{result.faults} FAULTS"
    rate = f"rate below {result.bound:g} (3/n)" if result.bound is not None else "nothing tried"
    return f"{experiment.about}, {result.kind}: n = {result.n}, {said}, {rate}, {result.seconds} s"


def write_docs(experiments: Sequence[Experiment]) -> None:
    """Put what was found last, at the everyday and at the full sizes, into the page that quotes it."""
    text = PAGE.read_text(encoding="utf-8")
    for name, command in (("everyday", "make chaos"), ("full", "make chaos FULL=1")):
        found = [pair for e in experiments for pair in _found(e, getattr(e, name))]
        begin, end = (
            f"<!-- {name}: written by `python -m chaos --docs` -->",
            f"<!-- end of {name} -->",
        )
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(end)
        text = f"{head}{begin}\n\n{_table(found, command)}\n{end}{tail}"
    PAGE.write_text(text, encoding="utf-8")


def _found(experiment: Experiment, size: int) -> list[tuple[Experiment, Result]]:
    return [
        (experiment, Result(**json.loads(file.read_text(encoding="utf-8"))))
        for kind in experiment.kinds
        for file in sorted(FOLDER.glob(f"{experiment.name}-{kind.lower()}-{size}-*.json"))
    ]


def _table(found: Sequence[tuple[Experiment, Result]], command: str) -> str:
    if not found:
        return f"`{command}`: not run yet.\n"
    days = sorted({result.at[:10] for _, result in found})
    commits = {result.commit for _, result in found}
    where = f"commit {commits.pop()}" if len(commits) == 1 else "at several commits"
    head = [
        f"`{command}`, {' and '.join(days)}, {where}, {found[0][1].machine}.",
        "",
        "| experiment | database | n | seed | s | figures | found | rate below (3/n) |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| `{e.name}` | {r.kind} | {r.n:,} | {r.seed} | {r.seconds:.0f} | {_figures(r.figures)} "
        f"| {'held' if r.held else f'**{r.faults} faults**'} | {_rate(r)} |"
        for e, r in found
    ]
    return "\n".join([*head, *rows]) + "\n"


def _rate(result: Result) -> str:
    return "" if result.bound is None or not result.held else f"{result.bound:g}"


def _figures(figures: dict[str, Any]) -> str:
    told = [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in figures.items()
        if isinstance(value, int | float | str)
    ]
    return ", ".join(told).replace("|", "/")


def _file(name: str, kind: str, size: int, seed: int) -> Path:
    return FOLDER / f"{name}-{kind.lower()}-{size}-{seed}.json"
