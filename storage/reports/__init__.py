"""Figures over many leads: the only SQL of reports and audits. Read-only, and the same numbers on both databases.

`audits` counts what became of every lead since ever; the others count one `Window` each: `handovers` what was offered
and came back, `promises` what was kept and what is due, `spans` how long it took, `evers` both handovers and spans of
all time, `decays` what lies untouched, `pasts` what there was before. What is not here: what the figures mean
(`bot.domain.kpi_definitions`, `bot.domain.audit`).
"""

from __future__ import annotations

from storage.reports.audits import (
    AuditedLead,
    Scope,
    list_audited,
    list_oldest_untouched,
    tally_audit,
)

__all__ = ["AuditedLead", "Scope", "list_audited", "list_oldest_untouched", "tally_audit"]
