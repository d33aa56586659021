"""Campaigns, their epochs and who changed what, in the event log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select, text, update

from recsys.domain.errors import CampaignNotFound
from recsys.storage.catalogue_log import CatalogueLog
from recsys.storage.schema import campaign_changes, campaign_epochs, campaigns

_LOCK = text("LOCK TABLE campaign_changes IN SHARE ROW EXCLUSIVE MODE")
_ADD, _ADD_EPOCH, _ADD_CHANGE = insert(campaigns), insert(campaign_epochs), insert(campaign_changes)
_EPOCHS = select(campaign_epochs).order_by(campaign_epochs.c.campaign_id, campaign_epochs.c.epoch)
_CHANGES = (
    select(campaign_changes)
    .where(campaign_changes.c.campaign_id == bindparam("campaign_id"))
    .order_by(campaign_changes.c.change_id)
)


@dataclass(frozen=True, slots=True)
class SavedEpoch:
    """The weights of the arms from a moment on, and why they are what they are."""

    epoch: int
    weights: dict[str, float]
    began_at: datetime
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class SavedChange:
    """One line of a campaign's audit: who changed what, when, from what to what."""

    actor: str
    changed_at: datetime
    what: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class SavedCampaign:
    """A campaign as it is saved: `plan` as a document, `kept` the products whose totals are kept by arm and day."""

    campaign_id: str
    plan: dict[str, Any]
    plan_version: str
    kept: tuple[str, ...]
    status: str
    author: str
    created_at: datetime
    approver: str | None = None
    approved_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    shipped_arm: str | None = None
    epochs: tuple[SavedEpoch, ...] = ()


_COLUMNS = tuple(one.name for one in fields(SavedCampaign) if one.name != "epochs")
_ROWS = select(*(campaigns.c[name] for name in _COLUMNS)).order_by(campaigns.c.created_at, campaigns.c.campaign_id)
_SET = (
    update(campaigns)
    .where(campaigns.c.campaign_id == bindparam("key"))
    .values({name: bindparam(name) for name in _COLUMNS if name != "campaign_id"})
)


class CampaignLog(CatalogueLog):
    """The campaigns' part of the log; every write adds a line to the audit."""

    def campaigns(self) -> list[SavedCampaign]:
        """Return all campaigns, oldest first."""
        epochs: dict[str, list[SavedEpoch]] = {}
        for row in self._connection.execute(_EPOCHS):
            found = SavedEpoch(row.epoch, orjson.loads(row.weights), row.began_at, row.reason, row.actor)
            epochs.setdefault(row.campaign_id, []).append(found)
        return [_to_saved(row, epochs.get(row.campaign_id, [])) for row in self._connection.execute(_ROWS)]

    def campaign(self, campaign_id: str) -> SavedCampaign:
        """Return a campaign; raises `CampaignNotFound`."""
        row = self._connection.execute(_ROWS.where(campaigns.c.campaign_id == campaign_id)).first()
        if row is None:
            raise CampaignNotFound(campaign_id)
        epochs = self._connection.execute(_EPOCHS.where(campaign_epochs.c.campaign_id == campaign_id))
        return _to_saved(row, [SavedEpoch(e.epoch, orjson.loads(e.weights), *e[3:]) for e in epochs])

    def campaign_for_change(self, campaign_id: str) -> SavedCampaign:
        """Return a campaign; nobody else changes any before this transaction ends. Raises `CampaignNotFound`."""
        self._one_at_a_time()
        return self.campaign(campaign_id)

    def add_campaign(self, campaign: SavedCampaign) -> None:
        """Save a new campaign, drafted by its author."""
        self._connection.execute(_ADD, _row(campaign))
        self._note(campaign.campaign_id, SavedChange(campaign.author, campaign.created_at, "created", None, None))

    def set_campaign(self, campaign: SavedCampaign, change: SavedChange) -> None:
        """Save a campaign's present state without its epochs, and the change that led to it in the audit."""
        row = _row(campaign)
        self._connection.execute(_SET, row | {"key": row.pop("campaign_id")})
        self._note(campaign.campaign_id, change)

    def add_campaign_epoch(self, campaign_id: str, epoch: SavedEpoch, before: Mapping[str, float] | None) -> None:
        """Open an epoch; `before` are the weights so far, for the audit."""
        row = {"campaign_id": campaign_id, "epoch": epoch.epoch, "weights": orjson.dumps(epoch.weights).decode()}
        row |= {"began_at": epoch.began_at, "reason": epoch.reason, "actor": epoch.actor}
        self._connection.execute(_ADD_EPOCH, row)
        change = SavedChange(epoch.actor, epoch.began_at, "weights", before, epoch.weights)
        self._note(campaign_id, change)

    def campaign_changes(self, campaign_id: str) -> tuple[SavedChange, ...]:
        """Return the audit of a campaign, oldest first."""
        rows = self._connection.execute(_CHANGES, {"campaign_id": campaign_id})
        return tuple(
            SavedChange(row.actor, row.changed_at, row.what, orjson.loads(row.before), orjson.loads(row.after))
            for row in rows
        )

    def _note(self, campaign_id: str, change: SavedChange) -> None:
        self._one_at_a_time()
        row = {"campaign_id": campaign_id, "actor": change.actor, "changed_at": change.changed_at, "what": change.what}
        texts = {"before": orjson.dumps(change.before).decode(), "after": orjson.dumps(change.after).decode()}
        self._connection.execute(_ADD_CHANGE, row | texts)
        self._in_force = None

    def _one_at_a_time(self) -> None:
        """Wait for others that change campaigns: else the audit's numbers would not be in the order of commits."""
        if self._connection.dialect.name != "sqlite":
            self._connection.execute(_LOCK)


def _row(campaign: SavedCampaign) -> dict[str, Any]:
    row = {name: getattr(campaign, name) for name in _COLUMNS}
    return row | {name: orjson.dumps(row[name]).decode() for name in ("plan", "kept")}


def _to_saved(row: Any, epochs: Sequence[SavedEpoch]) -> SavedCampaign:
    values = row._asdict()
    values |= {"plan": orjson.loads(row.plan), "kept": tuple(orjson.loads(row.kept))}
    return SavedCampaign(**values, epochs=tuple(epochs))
