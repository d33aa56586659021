"""Eligibility of everybody: a database judges each distinct rule for all customers in one pass."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from recsys.domain.contact import Direction
from recsys.interactions.file_queries import open_duckdb
from recsys.ranking.codes import ALLOWED, NUMBER, Codes
from recsys.rules import Rule
from recsys.rules.sql import to_sql
from recsys.what_if.audience import Audience
from recsys.what_if.rulebook import Rulebook

_CODE_OF = np.array([NUMBER["not_eligible"], ALLOWED, NUMBER["eligibility_unknown"]], dtype=np.int8)
_FALSE, _TRUE, _NULL = 0, 1, 2


class Verdicts:
    """What the rules of several rulebooks say of an audience; a rule that several share is judged once."""

    def __init__(self, audience: Audience, rulebooks: Sequence[Rulebook]) -> None:
        import pyarrow as pa

        self._facts = audience.facts
        questions: dict[str, int] = {}
        counts: dict[bytes, tuple[str, NDArray[np.bool_]]] = {}
        self._places: list[NDArray[np.intp]] = []
        for rulebook in rulebooks:
            table = rulebook.catalogue.table
            is_sale = rulebook.are_sales(audience.offer_ids)
            held_count = counts.setdefault(is_sale.tobytes(), (f"held_count_{len(counts)}", is_sale))[0]
            columns = _columns(audience, held_count)
            asked = [questions.setdefault(_question(rule, columns), len(questions)) for rule in table.rules]
            self._places.append(np.array([asked[rule] if rule >= 0 else -1 for rule in table.rule.tolist()], np.intp))
        self._questions = list(questions)
        rows, offers = audience.history.held()
        for name, is_sale in counts.values():
            held = np.bincount(rows[is_sale[offers]], minlength=len(audience)).astype(np.float64)
            self._facts = self._facts.append_column(name, pa.array(held))

    def in_chunks(self, rows: int) -> Iterator["ChunkVerdicts"]:
        """Yield what the rules say of the first `rows` customers, of the next, and so on."""
        total = self._facts.num_rows
        if not self._questions:
            for start in range(0, total, rows):
                yield ChunkVerdicts(start, np.zeros((min(rows, total - start), 0), np.int8), self._places)
            return
        answers = ", ".join(f"COALESCE(CAST({sql} AS TINYINT), {_NULL})" for sql in self._questions)
        connection = open_duckdb()
        try:
            connection.register("audience", self._facts)
            start, waiting = 0, np.zeros((0, len(self._questions)), np.int8)
            for batch in connection.sql(f"SELECT {answers} FROM audience").to_arrow_reader(rows):
                judged = np.column_stack([column.to_numpy() for column in batch.columns]).astype(np.int8, copy=False)
                waiting = np.concatenate([waiting, judged]) if len(waiting) else judged
                while len(waiting) >= rows or (len(waiting) and start + len(waiting) == total):
                    yield ChunkVerdicts(start, waiting[:rows], self._places)
                    start, waiting = start + min(rows, len(waiting)), waiting[rows:]
        finally:
            connection.close()


class ChunkVerdicts:
    """The verdicts on some customers, who begin at `start`."""

    def __init__(self, start: int, judged: NDArray[np.int8], places: Sequence[NDArray[np.intp]]) -> None:
        self.start, self.stop = start, start + len(judged)
        self._judged, self._places = judged, places

    def codes(self, rulebook: int) -> Codes:
        """Return (n, m) what the rules of the rulebook at that place stop: a place in CODES, 0 where nothing."""
        places = self._places[rulebook]
        codes = np.zeros((len(self._judged), len(places)), dtype=np.int8)
        ruled = np.flatnonzero(places >= 0)
        codes[:, ruled] = _CODE_OF[self._judged][:, places[ruled]]
        return codes


def _question(rule: Rule, columns: Mapping[str, str]) -> str:
    """Return the rule as SQL; one that names what the audience does not have is not judged, and closed."""
    return to_sql(rule, columns, "duckdb") if rule.names <= columns.keys() else "NULL"


def _columns(audience: Audience, held_count: str) -> dict[str, str]:
    """Return the SQL of every name that a rule may use: a column of the facts, or what holds in the neutral contact."""
    columns = {name: '"' + name.replace('"', '""') + '"' for name in audience.facts.column_names}
    return columns | {
        "channel": f"'{audience.occasion.channel}'",
        "direction": f"'{Direction.INBOUND}'",
        "sentiment": "CAST(NULL AS DOUBLE)",
        "held_count": held_count,
    }
