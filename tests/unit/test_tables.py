"""Tables of the terminal: aligned by what is seen, also where a letter takes two places or none."""

from __future__ import annotations

import io

from bot.commands.tables import Column, ProgressLine, cut, table, width


def test_columns_are_aligned_by_what_is_seen() -> None:
    names = ["Acme", "株式会社", "مُحَمَّد", "e\u0301a"]
    columns = [Column("Name\nof it"), Column("Leads", right=True)]
    shown = table(columns, [[name, "1"] for name in names]).split("\n")
    assert {width(line) for line in shown[1:]} == {width("株式会社") + 2 + 5}
    assert shown[0] == "Name"
    assert cut("株式会社", 5) == "株式…"
    assert cut("株式会社", 4) == "株…"


def test_a_bar_is_drawn_for_eyes_only() -> None:
    file = io.StringIO()
    line = ProgressLine(file)
    line.draw(1, 2, "half")
    line.clear()
    assert file.getvalue() == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seen = Terminal()
    line = ProgressLine(seen)
    line.draw(1, 2, "half")
    assert "half" in seen.getvalue()
    line.clear()
    assert seen.getvalue().endswith("\r\x1b[K")
