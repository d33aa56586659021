"""Changes of the decision policy: checked, saved as a new version, and its words read into the log anew."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recsys.domain.policy import Policy, parse_policy
from recsys.storage.event_log import EventLog
from recsys.storage.vocabulary_log import Reread
from serving.in_force import PolicyInService
from serving.wiring import Services


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
    log: EventLog, in_force: PolicyInService, changes: Mapping[str, Any], by: tuple[str | None, datetime]
) -> ChangedPolicy:
    """Save the change in an open transaction; `by` is who makes it, and when."""
    (actor, now), before = by, in_force.current(log)
    after = parse_policy(changes, before)
    log.save_policy(after, now, actor)
    return ChangedPolicy(before, after, log.reread_words(after.words) if after.words != before.words else None)
