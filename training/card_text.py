"""A model card as Markdown: the same facts as its JSON, in the same order."""

from collections.abc import Mapping, Sequence
from typing import Any

_INTERVAL = {"mean", "low", "high"}


def card_text(card: Mapping[str, Any], headings: Mapping[str, str]) -> str:
    """Return `card` with the headings of its sections; a section that is missing says so."""
    parts = [f"# Model card of {card['version']}"]
    for section, heading in headings.items():
        parts += [f"## {heading}", _block(card.get(section) or "*Missing.*")]
    return "\n\n".join(parts) + "\n"


def _block(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(f"- {name}: {_cell(one)}" for name, one in value.items())
    if value and isinstance(value[0], Mapping):
        return _table(value)
    return "\n".join(f"- {one}" for one in value)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping) and set(value) == _INTERVAL:
        return f"{value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]"
    return str(value).replace("|", "\\|").replace("\n", " ")
