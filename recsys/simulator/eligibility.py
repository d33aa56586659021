"""Who may have which offer, by the catalogue's own rules, asked of the whole population at once."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.simulator.population import Population

_COLUMNS = (
    "kind", "language", "segment", "risk_level", "age", "city", "monthly_income_cny", "income_band", "balance_cny",
    "tenure_months", "app_logins_30d", "vulnerable", "arrears", "do_not_contact",
)  # fmt: skip


def eligible_people(population: Population, offers: Sequence[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """Return (n, m): whether each person passes each offer's eligibility rule.

    The rule language is a subset of SQL with SQL's NULL logic, so an in-memory SQLite answers for everybody at
    once; facts of a contact stand at their everyday values and an unknown verdict counts as no.
    """
    columns = [_sql_values(getattr(population, name)) for name in _COLUMNS]
    held = np.where(population.is_customer, 2, 0).tolist()
    with closing(sqlite3.connect(":memory:")) as people:
        people.execute(f"CREATE TABLE people ({', '.join(_COLUMNS)}, held_count, channel, direction, sentiment)")
        places = ", ".join("?" * (len(_COLUMNS) + 1))
        insert = f"INSERT INTO people VALUES ({places}, 'phone', 'inbound', 0)"
        people.executemany(insert, zip(*columns, held, strict=True))
        rules = ", ".join(f"COALESCE({offer.get('eligibility', 'TRUE')}, FALSE)" for offer in offers)
        verdicts = people.execute(f"SELECT {rules} FROM people ORDER BY rowid").fetchall()
    return np.array(verdicts, dtype=np.bool_)


def _sql_values(column: NDArray[Any]) -> list[Any]:
    return [None if value != value else value for value in column.tolist()]
