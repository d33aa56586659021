"""Who is in which campaign and what came of it, with totals that are kept in the same transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from recsys.domain.calendar import BankCalendar
from recsys.domain.campaign_unit import COUNTS, EVERYONE, STAGES, CampaignUnit, products_of
from recsys.rules import ValueType
from recsys.storage.bound_log import BoundLog
from recsys.storage.campaign_sums import CELL, counted_totals, segment_totals
from recsys.storage.schema import campaign_totals, campaign_units, campaign_volumes, campaigns

_FIELDS = tuple(one.name for one in fields(CampaignUnit) if one.compare)
_KEYS = ("customer_id", "campaign_id")
_MAY_CHANGE = (*(f"{stage}_at" for stage in STAGES), *COUNTS)
_UNITS_OF = select(*(campaign_units.c[name] for name in _FIELDS), campaign_units.c.day.label("assigned_on")).where(
    campaign_units.c.customer_id == bindparam("customer_id")
)
_KEPT = select(campaigns.c.kept).where(campaigns.c.campaign_id == bindparam("campaign_id"))
_ADD_UNIT = insert(campaign_units)
_ADD_TOTAL = insert(campaign_totals)
_SET_UNIT = (
    update(campaign_units)
    .where(*(campaign_units.c[name] == bindparam(f"key_{name}") for name in _KEYS))
    .values({name: bindparam(name) for name in _MAY_CHANGE})
)
_VOLUME = select(
    func.coalesce(func.sum(campaign_volumes.c.units).filter(campaign_volumes.c.day == bindparam("day")), 0),
    func.coalesce(func.sum(campaign_volumes.c.units), 0),
).where(campaign_volumes.c.campaign_id == bindparam("campaign_id"))


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """What totals are taken over: units of one epoch and arm; of one day and agent where these are given."""

    epoch: int
    arm: str
    day: date | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True)
class SegmentCell:
    """What totals are taken over: units of one epoch and arm whose customers share a value, None where unknown."""

    epoch: int
    arm: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Difference:
    """A total that is not what the units add up to."""

    product: str
    cell: Cell
    kept: float
    counted: float


class CampaignUnitLog(BoundLog):
    """The part of the log about the units of campaigns; a transaction of a customer saves their units once."""

    def campaign_units(self, customer_id: str) -> dict[str, CampaignUnit]:
        """Return the customer's units by campaign, of all campaigns they were ever in."""
        rows = self._connection.execute(_UNITS_OF, {"customer_id": customer_id})
        return {row.campaign_id: _to_unit(row, self.calendar) for row in rows}

    def save_campaign_units(
        self, before: Mapping[str, CampaignUnit], after: Mapping[str, CampaignUnit], kept: Mapping[str, tuple[str, ...]]
    ) -> None:
        """Save a customer's units that are new or changed since `before`, and what that adds to the totals.

        `kept` are the products whose totals each campaign keeps. Call it once a transaction: totals are locked in the
        order of campaigns, so that none waits in a circle.
        """
        added: list[dict[str, Any]] = []
        changed: list[dict[str, Any]] = []
        totals: list[dict[str, Any]] = []
        for campaign_id, unit in sorted(after.items()):
            old = before.get(campaign_id)
            if old != unit:
                (changed if old else added).append(_row(unit, is_new=old is None))
                totals += _additions(old, unit, kept[campaign_id])
        if added:
            self._connection.execute(_ADD_UNIT, added)
        if changed:
            self._connection.execute(_SET_UNIT, changed)
        if totals:
            self._connection.execute(_ADD_TO_TOTAL[self._connection.dialect.name], totals)

    def count_campaign_unit(self, campaign_id: str, day: date, units: int = 1) -> tuple[int, int]:
        """Count one more unit of a campaign with a cap, and return how many there are with it (that day, ever).

        Whoever counts at the same moment waits until this transaction has ended.
        """
        row = {"campaign_id": campaign_id, "day": day, "units": units}
        self._connection.execute(_ADD_TO_VOLUME[self._connection.dialect.name], row)
        return self.campaign_volume(campaign_id, day)

    def campaign_volume(self, campaign_id: str, day: date) -> tuple[int, int]:
        """Return how many units a campaign with a cap was given (that day, ever)."""
        today, ever = self._connection.execute(_VOLUME, {"campaign_id": campaign_id, "day": day}).one()
        return int(today), int(ever)

    def campaign_totals(
        self, campaign_id: str, until: date | None = None, by: Collection[str] = (), products: Collection[str] = ()
    ) -> dict[Cell, dict[str, float]]:
        """Return the kept totals over the units assigned up to the day `until`; a product without an entry is 0.

        They come by epoch and arm, and by agent and day too where `by` has "agent_id" and "day": all of the campaign's
        products at once, or only `EVERYONE` and those of `products`.
        """
        table = campaign_totals.c
        columns = [table[name] for name in ("epoch", "arm", "agent_id", "day") if name in ("epoch", "arm", *by)]
        wanted = select(table.product, *columns, func.sum(table.total)).where(table.campaign_id == campaign_id)
        if products:
            wanted = wanted.where(table.product.in_({EVERYONE, *products}))
        if until is not None:
            wanted = wanted.where(table.day <= until)
        names = [column.name for column in columns]
        found: dict[tuple[Any, ...], dict[str, float]] = {}
        # Grouped in the order of the key, so that SQLite need not sort.
        for product, *cell, total in self._connection.execute(wanted.group_by(table.product, *columns)):
            found.setdefault(tuple(cell), {})[product] = total
        cells = {Cell(**dict(zip(names, cell, strict=True))): totals for cell, totals in found.items()}
        return dict(sorted(cells.items()))

    def campaign_segment_totals(
        self, campaign_id: str, until: date, column: tuple[str, ValueType], products: Collection[str]
    ) -> dict[SegmentCell, dict[str, float]]:
        """Return these totals over the units assigned up to the day `until`, by what is known of their customers.

        `column` is a name of a rule's vocabulary about customers, with its type; true and false come as such texts.
        They are counted from the units one by one, in one query.
        """
        names = sorted({EVERYONE, *products})
        query = segment_totals(campaign_id, until, column, names, self._connection.dialect.name)
        return {
            SegmentCell(epoch, arm, _as_text(value, column[1])): dict(zip(names, sums, strict=True))
            for epoch, arm, value, *sums in self._connection.execute(query)
        }

    def wrong_campaign_totals(self, campaign_id: str, tolerance: float = 1e-9) -> list[Difference]:
        """Return the kept totals that differ from what all units add up to by more than rounding."""
        kept = self.campaign_totals(campaign_id, by=("day", "agent_id"))
        counted = self._counted_totals(campaign_id)
        wrong = []
        for cell in sorted(kept.keys() | counted.keys()):
            old, new = kept.get(cell, {}), counted.get(cell, {})
            for product in sorted(old.keys() | new.keys()):
                was, now = old.get(product, 0.0), new.get(product, 0.0)
                if abs(was - now) > tolerance * max(1.0, abs(was), abs(now)):
                    wrong.append(Difference(product, cell, was, now))
        return wrong

    def rebuild_campaign_totals(self, campaign_id: str) -> None:
        """Replace the kept totals of a campaign by what its units add up to."""
        counted = self._counted_totals(campaign_id)
        self._connection.execute(delete(campaign_totals).where(campaign_totals.c.campaign_id == campaign_id))
        rows = [
            {"campaign_id": campaign_id, "product": product, "total": total}
            | {name: getattr(cell, name) for name in CELL}
            for cell, totals in counted.items()
            for product, total in totals.items()
            if total
        ]
        if rows:
            self._connection.execute(_ADD_TOTAL, rows)

    def _counted_totals(self, campaign_id: str) -> dict[Cell, dict[str, float]]:
        products = orjson.loads(self._connection.execute(_KEPT, {"campaign_id": campaign_id}).scalar_one())
        counted = counted_totals(campaign_id, products, self._connection.dialect.name)
        return {
            Cell(*row[: len(CELL)]): dict(zip(products, row[len(CELL) :], strict=True))
            for row in self._connection.execute(counted)
        }


def _additions(before: CampaignUnit | None, after: CampaignUnit, kept: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return what a unit that was `before` adds to the totals by now being `after`."""
    cell = {"campaign_id": after.campaign_id, **{name: getattr(after, name) for name in CELL}}
    was = products_of(before, kept) if before else [0.0] * len(kept)
    return [
        {**cell, "product": product, "total": new - old}
        for product, old, new in zip(kept, was, products_of(after, kept), strict=True)
        if new != old
    ]


def _row(unit: CampaignUnit, *, is_new: bool) -> dict[str, Any]:
    if is_new:
        row = {name: getattr(unit, name) for name in _FIELDS}
        return row | {"day": unit.day, "covariates": orjson.dumps(dict(unit.covariates)).decode()}
    row = {name: getattr(unit, name) for name in _MAY_CHANGE}
    return row | {f"key_{name}": getattr(unit, name) for name in _KEYS}


def _as_text(value: object, kind: ValueType) -> str | None:
    if value is None or kind is not ValueType.BOOLEAN:
        return None if value is None else str(value)
    return "true" if value else "false"


def _to_unit(row: Any, calendar: BankCalendar) -> CampaignUnit:
    values = row._asdict()
    return CampaignUnit(**{**values, "covariates": orjson.loads(values["covariates"]), "calendar": calendar})


def _adding(insert_into: Any, table: Any, key: str) -> Any:
    add = insert_into(table)
    keys = [column.name for column in table.primary_key]
    return add.on_conflict_do_update(index_elements=keys, set_={key: table.c[key] + add.excluded[key]})


_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_ADD_TO_TOTAL = {name: _adding(one, campaign_totals, "total") for name, one in _INSERTS.items()}
_ADD_TO_VOLUME = {name: _adding(one, campaign_volumes, "units") for name, one in _INSERTS.items()}
