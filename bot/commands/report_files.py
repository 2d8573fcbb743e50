"""A report as a file: CSV with a row for each value, JSON with a figure for each. Totals and parts; nobody's figures.

Each row says which figure, its unit and period, how many it rests on and by which definitions it was made. What is not
here: the terminal's tables (`reporting`), counting.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.commands.failing import CommandFault
from bot.domain.audit import safe_cell
from bot.domain.kpi import Count, Cut, Kpi, Share, Spread, Value
from bot.domain.kpi_definitions import DEFINITIONS
from bot.domain.kpi_version import version_of
from bot.domain.report import Report

#: Instead of a path: standard output.
STDOUT = "-"
#: `values`: of this period, of the one before, of the baseline. `cut` and `part` are empty for the whole.
COLUMNS = (
    *("definitions", "kpi", "title", "unit", "period", "from", "to", "zone", "team", "values"),
    *("cut", "part", "n", "count", "percent", "per_100", "p50_seconds", "p90_seconds"),
)


def as_csv(report: Report) -> str:
    """RFC 4180; no cell is a formula to a spreadsheet."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for row in _rows(report):
        writer.writerow({k: safe_cell(v) if isinstance(v, str) else v for k, v in row.items()})
    return out.getvalue()


def as_json(report: Report) -> str:
    """One object: what it is about, and all figures."""
    found = {
        "definitions": version_of(DEFINITIONS),
        "as_of": report.at.isoformat(),
        **_scope(report),
        "down_minutes": report.down_minutes,
        "baseline": report.baseline.kind if report.baseline is not None else None,
        "figures": [_figure(report, kpi) for kpi in Kpi if kpi in report.values],
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def write_text(where: str, text: str) -> None:
    """To a file, all or nothing; to standard output for `-`."""
    if where == STDOUT:
        sys.stdout.write(text)
        return
    path = Path(where)
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_text(text, encoding="utf-8", newline="")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise CommandFault(f"{path} cannot be written: {error.strerror or error}.") from None


# ------------------------------------------------------------------ values


def measures(value: Value) -> dict[str, int | float | None]:
    """What a value holds, by column; what it has not is left out."""
    if isinstance(value, Count):
        return {"n": value.n, "count": value.n}
    if isinstance(value, Share):
        return {"n": value.of, "count": value.part, "percent": value.percent}
    if isinstance(value, Spread):
        return {"n": value.n, "p50_seconds": value.p50, "p90_seconds": value.p90}
    return {"n": value.of, "count": value.part, "per_100": value.per_hundred}


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    version, scope = version_of(DEFINITIONS), _scope(report)
    baseline = report.baseline.values if report.baseline is not None else {}
    for kpi in Kpi:
        about = {
            "definitions": version,
            "kpi": kpi.value,
            "title": DEFINITIONS[kpi].title,
            "unit": DEFINITIONS[kpi].unit.value,
            **scope,
        }
        columns: tuple[tuple[str, Mapping[Kpi, Value]], ...] = (
            ("this", report.values),
            ("before", report.before),
            ("baseline", baseline),
        )
        for name, values in columns:
            if kpi in values:
                yield {**about, "values": name, **measures(values[kpi])}
        for cut, part, value in parts_of(report, kpi):
            yield {**about, "values": "this", "cut": cut.value, "part": part, **measures(value)}


def parts_of(report: Report, kpi: Kpi) -> Iterator[tuple[Cut, str, Value]]:
    """A figure's parts, but for those by person: these are shown in Slack, to those who may see them."""
    for (of, cut), parts in report.parts.items():
        if of is kpi and cut is not Cut.PERSON:
            for part, value in parts:
                yield cut, part, value


def _figure(report: Report, kpi: Kpi) -> dict[str, Any]:
    made = DEFINITIONS[kpi]
    found: dict[str, Any] = {
        "kpi": kpi.value,
        "title": made.title,
        "unit": made.unit.value,
        **measures(report.values[kpi]),
        "before": measures(report.before[kpi]) if kpi in report.before else None,
    }
    if report.baseline is not None and kpi in report.baseline.values:
        found["baseline"] = measures(report.baseline.values[kpi])
    parts = [
        {"cut": cut.value, "part": part, **measures(value)}
        for cut, part, value in parts_of(report, kpi)
    ]
    if parts:
        found["parts"] = parts
    return found


def _scope(report: Report) -> dict[str, str]:
    period = report.period
    return {
        "period": period.key,
        "from": period.begin.isoformat(),
        "to": period.end.isoformat(),
        "zone": period.zone,
        "team": report.team,
    }
