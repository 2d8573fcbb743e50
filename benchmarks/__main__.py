"""`python -m benchmarks [ROW …]`: measure rows of the table; all of them when none is named.

Writes `artifacts/bench/<row>.json` and, from all of these, `artifacts/bench/table.md`. Options: `--list`; `--small`
(a trial with few rows, whose figures mean nothing and are not kept); `--docs` (copies the table into
docs/performance.md). Exit code 1: a bar was missed, or a row could not be measured. What is not here: the rows.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.places import ROOT, Ground, machine
from benchmarks.row import Found, Row, shown
from benchmarks.rows import ROWS, find
from bot.logs import configure_logging

ARTIFACTS = ROOT / "artifacts" / "bench"
DOCS = ROOT / "docs" / "performance.md"
_BLOCK = re.compile(r"(<!-- table: .*? -->\n).*?(<!-- end of table -->)", re.S)


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("rows", nargs="*", metavar="row")
    for name in ("list", "small", "docs"):
        parser.add_argument(f"--{name}", action="store_true")
    given = parser.parse_args()
    if given.list:
        for row in ROWS:
            print(f"{row.name:24}{row.measures}")
        return 0
    if given.docs:
        return write_docs()
    unknown = [name for name in given.rows if find(name) is None]
    if unknown:
        parser.error(f"there is no row {', '.join(unknown)}; --list shows all")
    configure_logging("ERROR", sys.stderr)
    wanted = [row for row in ROWS if not given.rows or row.name in given.rows]
    sound = [measure(row, small=given.small) for row in wanted]
    if not given.small:
        table = ARTIFACTS / "table.md"
        table.write_text(make_table())
        print(f"\n{sum(sound)} of {len(sound)} rows keep their bars; {table.relative_to(ROOT)}")
    return 0 if all(sound) else 1


def measure(row: Row, *, small: bool) -> bool:
    """Measure one row, tell it, write it down; whether its bars hold."""
    print(f"\n{row.name}: {row.measures}" + (f"; peer: {row.peer}" if row.peer else ""), flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="baton-bench-") as folder:
        ground = Ground(Path(folder), small)
        try:
            found = row.run(ground)
            about = machine(ground)
        except Exception:  # the other rows can still be measured
            traceback.print_exc()
            return False
        finally:
            ground.close()
    seconds = round(time.monotonic() - began, 1)
    for name, figure in found.figures.items():
        print(f"  {name:42} {figure}")
    for note in found.notes:
        print(f"  {note}")
    verdicts = [
        (bar, found.figures[bar.figure].median, bar.holds(found.figures[bar.figure].median))
        for bar in row.bars
    ]
    for bar, value, held in verdicts:
        said = "holds" if held else "MISSED"
        print(f"  bar: {bar.figure} {bar.sense} {shown(bar.limit)}: {said} ({shown(value)})")
    print(f"  {seconds} s", flush=True)
    if not small:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        kept = as_json(row, found, about, seconds)
        (ARTIFACTS / f"{row.name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    return all(held for _, _, held in verdicts)


def as_json(row: Row, found: Found, about: dict[str, str], seconds: float) -> dict[str, Any]:
    """What is kept of a row."""
    return {
        "row": row.name,
        "measures": row.measures,
        "peer": row.peer,
        "command": f"make bench ROW={row.name}",
        "seconds": seconds,
        "machine": about,
        "figures": {
            name: {
                "unit": f.unit, "median": f.median, "low": f.low, "high": f.high,
                "values": list(f.values),
            }
            for name, f in found.figures.items()
        },
        "bars": [
            {
                "figure": bar.figure, "sense": bar.sense, "limit": bar.limit,
                "holds": bar.holds(found.figures[bar.figure].median),
            }
            for bar in row.bars
        ],
        "notes": list(found.notes),
    }  # fmt: skip


def make_table() -> str:
    """The table of every row that was measured, each with the machine it was measured on."""
    kept = [
        json.loads(path.read_text())
        for row in ROWS
        if (path := ARTIFACTS / f"{row.name}.json").exists()
    ]
    if not kept:
        return "Nothing was measured yet.\n"
    machines: list[str] = []
    lines = [
        "| what | figure | bar | measured: median (lowest – highest) | n | kept | run |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in kept:
        about = _machine_line(row["machine"])
        if about not in machines:
            machines.append(about)
        bars = {bar["figure"]: bar for bar in row["bars"]}
        peer = f"; peer: {row['peer']}" if row["peer"] else ""
        first = f"{row['measures']}{peer}<br>`{row['command']}`, {row['seconds']:.0f} s"
        for name, figure in row["figures"].items():
            bar = bars.get(name)
            limit = f"{bar['sense']} {shown(bar['limit'])}" if bar else ""
            verdict = ("yes" if bar["holds"] else "**no**") if bar else ""
            spread = f" ({shown(figure['low'])} – {shown(figure['high'])})"
            said = f"{shown(figure['median'])} {figure['unit']}"
            many = len(figure["values"])
            lines.append(
                f"| {first} | {name} | {limit} | {said}{spread if many > 1 else ''} | {many} "
                f"| {verdict} | {machines.index(about) + 1} |"
            )
            first = ""
    lines += ["", *(f"Run {n}: {about}" for n, about in enumerate(machines, 1))]
    return "\n".join(lines) + "\n"


def _machine_line(about: dict[str, str]) -> str:
    """One line a day and machine: rows of one run share it."""
    left = {name: said for name, said in about.items() if name not in ("date", "load")}
    day = about["date"].split()[0]
    return f"{day}, " + ", ".join(f"{name} {said}" for name, said in left.items()) + "."


def write_docs() -> int:
    """Copy the table into its block of docs/performance.md."""
    text = DOCS.read_text()
    table = make_table()
    DOCS.write_text(_BLOCK.sub(lambda m: f"{m[1]}\n{table}\n{m[2]}", text))
    print(f"{DOCS.relative_to(ROOT)}: {table.count(chr(10))} lines of table")
    return 0


if __name__ == "__main__":
    sys.exit(main())
