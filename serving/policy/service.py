"""Changes of the decision policy: checked, saved as a new version, and its words read into the log anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.domain.bank_words import lost_words
from recsys.domain.errors import PolicyInvalid
from recsys.domain.policy import Policy, parse_policy
from recsys.storage.event_log import EventLog
from recsys.storage.vocabulary_log import Reread
from serving.in_force import PolicyInService
from serving.wiring import Services

_MOST_WORDS = 20


@dataclass(frozen=True, slots=True)
class ChangedPolicy:
    """The policy before and after a change, and what a changed vocabulary made of the log (None: it is the same)."""

    before: Policy
    after: Policy
    reread: Reread | None


def change_policy(services: Services, changes: Mapping[str, Any], actor: str) -> ChangedPolicy:
    """Put a policy in force that differs in `changes`; raises `PolicyInvalid`, and then nothing was saved."""
    with services.database.transaction() as log:
        return saved_change(log, services.policy, changes, (actor, services.clock()))


def saved_change(
    log: EventLog,
    in_force: PolicyInService,
    changes: Mapping[str, Any],
    by: tuple[str | None, datetime],
    drop_words: bool = False,
) -> ChangedPolicy:
    """Save the change in an open transaction; `by` is who makes it, and when.

    Raises `PolicyInvalid` where the bank's own words that protect would be lost and nobody asks for it (`drop_words`).
    """
    (actor, now), before = by, in_force.current(log)
    after = parse_policy(changes, before)
    if not drop_words and (lost := lost_words(before.vocabulary, after.vocabulary)):
        more = f" and {len(lost) - _MOST_WORDS:,} more" if len(lost) > _MOST_WORDS else ""
        raise PolicyInvalid(
            "vocabulary",
            f"would drop words that protect customers: {', '.join(lost[:_MOST_WORDS])}{more}; keep them in it, or ask "
            "for it (--drop-words, or drop_words: true)",
        )
    log.save_policy(after, now, actor)
    return ChangedPolicy(before, after, log.reread_words(after.words) if after.words != before.words else None)
