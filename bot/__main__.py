"""`python -m bot …` is the command line. What is not here: any command (`bot.cli`)."""

from __future__ import annotations

import sys

from bot.cli import main

if __name__ == "__main__":
    sys.exit(main())
