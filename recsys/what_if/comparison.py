"""Who gains and who loses: the lists of everybody under each scenario beside today's, by segment and by offer.

Expected figures take a contact with every customer once, without exploration. `first` counts only the first place
of a list, `list` all its places alike: there is no discount by position, because an agent's list is short and its
offers are from different families.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.ranking.codes import CODES
from recsys.what_if.audience import Audience
from recsys.what_if.lists import NOTHING
from recsys.what_if.run import Tally

STARVING_BELOW = 0.001
"""Share of those whom an offer could be shown to: one that is shown to fewer starves."""
LOST_MOST = 0.9
"""Share of its places: an offer that loses more starves."""
TOP_CODES = 3
UNKNOWN_SEGMENT = "(none)"
ASSUMPTIONS = (
    "one neutral inbound contact with every customer; without exploration; no discount by position: "
    "`list` counts every place alike, `first` the first place only"
)

Bools = NDArray[np.bool_]
Entry = dict[str, Any]


def compare(audience: Audience, tallies: Sequence[Tally]) -> Entry:
    """Return the comparison of the first tally, today's, with each of the others as JSON values."""
    today, *others = tallies
    segments = _segments(audience)
    return {
        "customers": len(audience),
        "channel": audience.occasion.channel,
        "at": audience.occasion.at.isoformat(),
        "assumes": ASSUMPTIONS,
        "today": {**_versions(today), **_worth(today, np.ones(len(audience), dtype=bool))},
        "scenarios": [
            {
                **_versions(other),
                "everybody": _beside(today, other, np.ones(len(audience), dtype=bool)),
                "segments": {name: _beside(today, other, is_in) for name, is_in in segments.items()},
                "offers": _offers(today, other),
                "held_back": _held_back(today, other),
            }
            for other in others
        ],
    }


def _versions(tally: Tally) -> Entry:
    rulebook = tally.rulebook
    return {
        "name": rulebook.name,
        "catalogue_version": rulebook.catalogue.version,
        "policy_version": rulebook.policy.version,
        "offers_in_catalogue": len(rulebook.catalogue.table),
    }


def _segments(audience: Audience) -> dict[str, Bools]:
    names = audience.facts["segment"].fill_null(UNKNOWN_SEGMENT).combine_chunks().dictionary_encode()
    places = names.indices.to_numpy()
    return {name: places == place for place, name in sorted(enumerate(names.dictionary.to_pylist()), key=_by_name)}


def _by_name(entry: tuple[int, str]) -> str:
    return entry[1]


def _worth(tally: Tally, chosen: Bools) -> Entry:
    """Return what a contact with one of the chosen customers is expected to bring."""
    count = max(int(chosen.sum()), 1)
    propensity, value = tally.propensity[chosen], tally.value[chosen]
    return {
        "acceptances_first": float(propensity[:, 0].sum(dtype=np.float64)) / count,
        "acceptances_list": float(propensity.sum(dtype=np.float64)) / count,
        "net_value_first": float(value[:, 0].sum()) / count,
        "net_value_list": float(value.sum()) / count,
        "without_offer": float((tally.columns[chosen, 0] == NOTHING).mean()) if chosen.any() else 0.0,
    }


def _beside(today: Tally, other: Tally, chosen: Bools) -> Entry:
    """Return both sides' worth for the chosen customers, and for which share of them what is different."""
    before, after = today.columns[chosen], _by_columns_of(today, other)[chosen]
    width = max(before.shape[1], after.shape[1])
    before, after = _wide(before, width), _wide(after, width)
    values = today.value[chosen].sum(axis=1), other.value[chosen].sum(axis=1)
    slack = 1e-9 * np.maximum(np.abs(values[0]), 1.0)
    had, has = before[:, 0] != NOTHING, after[:, 0] != NOTHING
    shares = {
        "list_changed": (before != after).any(axis=1),
        "first_changed": before[:, 0] != after[:, 0],
        "lost_all_offers": had & ~has,
        "got_a_first_offer": ~had & has,
        "worth_more": values[1] > values[0] + slack,
        "worth_less": values[1] < values[0] - slack,
    }
    return {
        "customers": int(chosen.sum()),
        "today": _worth(today, chosen),
        "scenario": _worth(other, chosen),
        "standard_errors": _errors_of_change(today, other, chosen),
        **{name: float(where.mean()) if len(where) else 0.0 for name, where in shares.items()},
    }


def _errors_of_change(today: Tally, other: Tally, chosen: Bools) -> Entry:
    """Return the standard error of each worth's change, where the chosen customers are a sample: they are pairs."""
    count = max(int(chosen.sum()), 1)

    def error(was: NDArray[Any], now: NDArray[Any]) -> float:
        return float((now - was).std() / np.sqrt(count)) if chosen.any() else 0.0

    sides = [(one.propensity[chosen].astype(np.float64), one.value[chosen]) for one in (today, other)]
    without = [(one.columns[chosen, 0] == NOTHING).astype(np.float64) for one in (today, other)]
    (chance_was, value_was), (chance_now, value_now) = sides
    return {
        "acceptances_first": error(chance_was[:, 0], chance_now[:, 0]),
        "acceptances_list": error(chance_was.sum(axis=1), chance_now.sum(axis=1)),
        "net_value_first": error(value_was[:, 0], value_now[:, 0]),
        "net_value_list": error(value_was.sum(axis=1), value_now.sum(axis=1)),
        "without_offer": error(*without),
    }


def _by_columns_of(today: Tally, other: Tally) -> NDArray[np.int64]:
    """Return the other's lists by today's columns; a new offer has a number behind all of them."""
    column, new = today.rulebook.catalogue.table.column, len(today.open_to)
    names = other.rulebook.catalogue.table.offer_ids
    places = [column.get(offer_id, new + place) for place, offer_id in enumerate(names)]
    return np.asarray(np.array([*places, NOTHING], dtype=np.int64)[other.columns])


def _wide(lists: NDArray[Any], width: int) -> NDArray[Any]:
    return np.pad(lists, ((0, 0), (0, width - lists.shape[1])), constant_values=NOTHING)


def _offers(today: Tally, other: Tally) -> list[Entry]:
    """Return every offer of either side by id, the largest change of places first."""
    before, after = _by_offer(today), _by_offer(other)
    entries = []
    for offer_id in sorted(before.keys() | after.keys()):
        was, now = before.get(offer_id, _NOT_THERE), after.get(offer_id, _NOT_THERE)
        is_hidden = now["shown"] < STARVING_BELOW * now["open_to"]
        has_lost = was["shown"] > 0 and now["shown"] < (1 - LOST_MOST) * was["shown"]
        kind = "removed" if offer_id not in after else "new" if offer_id not in before else "kept"
        starves = kind != "removed" and (is_hidden or has_lost)
        entries.append({"offer_id": offer_id, "kind": kind, "starves": starves, "today": was, "scenario": now})
    return sorted(entries, key=lambda entry: -abs(entry["scenario"]["shown"] - entry["today"]["shown"]))


_NOT_THERE: Mapping[str, Any] = {
    "open_to": 0, "shown": 0, "first": 0, "share_of_places": 0.0, "acceptances": 0.0, "net_value": 0.0, "held_back": {},
}  # fmt: skip


def _by_offer(tally: Tally) -> dict[str, Entry]:
    offers = len(tally.open_to)
    shown, places = tally.columns != NOTHING, tally.columns
    counts = np.bincount(places[shown], minlength=offers)
    first = np.bincount(places[shown[:, 0], 0], minlength=offers)
    acceptances = np.bincount(places[shown], weights=tally.propensity[shown], minlength=offers)
    value = np.bincount(places[shown], weights=tally.value[shown], minlength=offers)
    total = max(int(counts.sum()), 1)
    return {
        offer_id: {
            "open_to": int(tally.open_to[column]),
            "shown": int(counts[column]),
            "first": int(first[column]),
            "share_of_places": float(counts[column] / total),
            "acceptances": float(acceptances[column]),
            "net_value": float(value[column]),
            "held_back": _top(tally.held_back[column], TOP_CODES),
        }
        for column, offer_id in enumerate(tally.rulebook.catalogue.table.offer_ids)
    }


def _held_back(today: Tally, other: Tally) -> dict[str, dict[str, int]]:
    """Return code → how many pairs of customer and offer it keeps apart, today and in the scenario."""
    before, after = (_top(tally.held_back.sum(axis=0), len(CODES)) for tally in (today, other))
    names = sorted(before.keys() | after.keys(), key=lambda code: -max(before.get(code, 0), after.get(code, 0)))
    return {code: {"today": before.get(code, 0), "scenario": after.get(code, 0)} for code in names}


def _top(counts: NDArray[np.int64], length: int) -> dict[str, int]:
    """Return the codes that stop most, with how often; 0 stands for what is shown."""
    order = [place for place in np.argsort(-counts, kind="stable").tolist() if place > 0 and counts[place] > 0]
    return {CODES[place]: int(counts[place]) for place in order[:length]}
