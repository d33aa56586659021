"""What `nbo import` says in readable lines: what became of the rows, how the files were read, what to look at."""

from collections.abc import Iterator, Mapping
from typing import Any

from serving.cli.output import table

_MOST_KINDS = 20
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


def summary_lines(summary: Mapping[str, Any]) -> str:
    """Return the report of an import, or of a plan, as lines."""
    is_plan = "mapping_path" in summary
    lines = []
    for file, rows in summary["files"].items():
        lines.append(_plan_counts(file, rows) if is_plan else _counts(file, rows))
        if is_plan:
            lines += _columns(rows["columns"])
        else:
            lines += _formats(rows["columns"])
    lines += [
        f"{file} ({written(rows)}): {rows['read']:,} rows read for queries, {rows['rejected']:,} rejected"
        for file, rows in summary["sources"].items()
    ]
    lines += _reasons(summary["rejected_kinds"])
    lines += [
        f"{one['part']} {one['word']!r}: {one['times']:,} times, not known"
        + (f"; nearest is {one['nearest']}" if one["nearest"] else "")
        for one in summary["unknown_words"]
    ]
    lines += [_extract(file, found) for file, found in summary["extracts"].items()]
    lines += summary["notices"]
    if is_plan:
        lines.append(f"nothing was saved; a mapping that reads the files so: {summary['mapping_path']}")
        return "\n".join(lines)
    lines.append(f"created: {summary['customers_created']:,} customers, {summary['offers_created']:,} offers")
    lines.append(f"took {summary['seconds']:.1f} s")
    if summary["rejected_path"]:
        lines.append(f"the rejected rows, with their reasons: {summary['rejected_path']}")
    return "\n".join(lines)


def _counts(file: str, rows: Mapping[str, Any]) -> str:
    return (
        f"{file} ({written(rows)}): {rows['read']:,} rows read, {rows['added']:,} added, {rows['changed']:,} changed, "
        f"{rows['already_there']:,} already there, {rows['rejected']:,} rejected{_future(rows)}"
    )


def _plan_counts(file: str, rows: Mapping[str, Any]) -> str:
    return f"{file} ({written(rows)}): {rows['read']:,} rows, {rows['rejected']:,} would be rejected{_future(rows)}"


def _extract(file: str, found: Mapping[str, Any]) -> str:
    dates = f"{found['dates']:,} dates ({found['first']} to {found['last']})" if found["dates"] > 1 else found["first"]
    of_unknown = f"of {found['first_unknown']:,} the first date is not known"
    unknown = f"; {of_unknown} (they stood in the first extract, {found['first']})" if found["first_unknown"] else ""
    ended = f"; {found['ended']:,} ended (not in the next extract) and count as cancelled from then"
    return (
        f"{file} is an extract of what is held ({_HOW[found['how']]}): {found['rows']:,} rows at {dates} say "
        f"{found['holdings']:,} holdings{unknown}{ended if found['ended'] else ''}."
    )


_HOW = {
    "recognised": "from one date to the next most rows repeat",
    "like what is known": "most of what is held stands in it",
    "declared": "the mapping says so",
}


def _future(rows: Mapping[str, Any]) -> str:
    return f", {rows['in_future']:,} in the future" if rows["in_future"] else ""


def _columns(columns: list[Mapping[str, str]]) -> list[str]:
    header = ("  column", "becomes", "type", "written", "decided by")
    rows = [(f"  {one['column']}", one["becomes"], one["type"], _format(one), one["decided_by"]) for one in columns]
    return [table(header, rows)] if rows else []


def _formats(columns: list[Mapping[str, str]]) -> Iterator[str]:
    for one in columns:
        if (format_ := _format(one)) and format_ != "year-month-day":
            decided = f" ({one['decided_by']})" if one["decided_by"] else ""
            yield f"  {one['column']} is written {format_}{decided}"


def _format(column: Mapping[str, str]) -> str:
    marks = f"decimal {column['decimal']}" if column["decimal"] else ""
    grouped = f", thousands {column['thousands']!r}" if column["thousands"] else ""
    return column["dates"] or f"{marks}{grouped}"


def written(file: Mapping[str, Any]) -> str:
    """Return how a file is written, in words."""
    if not file["encoding"]:
        return "typed"
    delimiter = DELIMITERS.get(file["delimiter"], file["delimiter"])
    return f"{file['encoding']}, {delimiter}"


def _reasons(kinds: list[Mapping[str, Any]]) -> Iterator[str]:
    for kind in kinds[:_MOST_KINDS]:
        place = f"{kind['file']}, {kind['column']}" if kind["column"] else kind["file"]
        yield f"  {kind['rows']:,} rejected, first on line {kind['first_line']}: {place} {kind['reason']}"
    if len(kinds) > _MOST_KINDS:
        yield f"  and {len(kinds) - _MOST_KINDS:,} more reasons, see rejected.csv"
