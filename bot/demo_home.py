"""Where the demo keeps what happened, for the demo itself and for commands that look at it from outside.

What is not here: the demo (`demo`), which brings the sandbox.
"""

from __future__ import annotations

import os
from pathlib import Path

#: BATON_DEMO_HOME names another folder.
HOME = Path("var/demo")


def demo_home() -> Path:
    """The folder of the demo."""
    return Path(os.environ.get("BATON_DEMO_HOME") or HOME)


def demo_database_url(home: Path) -> str:
    """The demo keeps to itself: its own file, unless DATABASE_URL says otherwise."""
    return f"sqlite:///{home / 'baton.db'}"


def forget_demo(home: Path) -> None:
    """Delete what the demo keeps, and nothing else of the folder. For whoever holds the lock, whose file stays."""
    for pattern in ("baton.db", "baton.db-*", "workspace.db", "workspace.db-*", "secret"):
        for kept in home.glob(pattern):
            kept.unlink()


def demo_is_there(home: Path) -> bool:
    """Whether a demo was ever started there."""
    return (home / "baton.db").is_file()
