"""What a post in doubt may cost: how long is waited before it is looked for, and what is rather lost than shown twice.

What is not here: looking (`settle_doubts`), writing down what was found (`deliver_settle`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from storage.deliveries import DOUBT_WAIT

#: The next period covers these, or the card says the same: where nobody can see whether they arrived, they are not
#: sent again. Everything else is: somebody waits for it. Lists (`outbox.LISTS`) are never among these: they may carry
#: escalations.
MAY_BE_SKIPPED = frozenset(
    {
        "leaderboard",
        "weekly_report",
        "weekly_rest",
        "manager_digest",
        "monthly_line",
        "news_line",
        "import_notice",
    }
)

#: Slack's answer for a thread whose root is gone: nothing of ours can stand there.
NO_THREAD = "thread_not_found"


@dataclass(frozen=True, slots=True)
class DoubtWaits:
    """Real time. `look`: before a post in doubt is looked for, twice what a call may take. `look_again`: after it was
    sent again, in case the first one was only late; and before something that must never be seen twice is sent again
    at all."""

    look: timedelta = DOUBT_WAIT
    look_again: timedelta = timedelta(minutes=5)
