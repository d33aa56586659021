"""The files of an import directory that nothing reads: each is named, and a table among them must be meant."""

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from recsys.storage.import_mapping import TABLES
from recsys.storage.import_report import ImportReport
from recsys.storage.rejected_rows import NAME as REJECTED

_TABLE_ENDING = re.compile(
    r"[ct]sv|tab|psv|txt|dat|asc|prn|del|parquet|pq|feather|arrow|orc|avro|xls[xmb]?|ods|numbers|jsonl?|ndjson|xml"
    r"|sas7bdat|xpt|sav|dta|dbf|mdb|accdb|sql|zip|gz|gzip|bz2|xz|zst|lz4|z|7z|rar|tar|tgz|pgp|gpg|enc"
)
_MOST = 20


def find_unread_files(directory: Path, read: Collection[str], ignored: Sequence[str], report: ImportReport) -> None:
    """Note in the report what stands in the directory and was not `read`, names of files.

    A table among it is a problem, unless one of the `ignored` names or patterns of the mapping is meant for it.
    """
    others = [path for path in sorted(directory.iterdir()) if path.name not in read and not _is_ours(path.name)]
    report.unread_files = [path.name for path in others]
    if others:
        report.notices.append(f"Not read: {_listed(report.unread_files)}.")
    names = [path.name for path in others if _is_table(path) and not _is_ignored(path.name, ignored)]
    if names:
        report.problems.append(
            f"{_listed(names)}: not read, and may hold what protects customers. An import reads {', '.join(TABLES)} as "
            f".csv or .parquet. Rename what is one of them, name it in the mapping (file, or a query), or say there "
            f"that it is not meant: ignore: [{names[0]!r}]."
        )


def _is_ours(name: str) -> bool:
    """Return whether it is hidden, or written by imports themselves."""
    return name.startswith(".") or name == REJECTED or fnmatchcase(name, "mapping*.y*ml")


def _is_table(path: Path) -> bool:
    parts = path.name.casefold().split(".")
    is_named_so = any(table.removesuffix("s") in parts[0] for table in TABLES)
    return is_named_so or any(map(_TABLE_ENDING.fullmatch, parts[1:])) or (path.is_file() and len(parts) == 1)


def _is_ignored(name: str, ignored: Sequence[str]) -> bool:
    return any(name == one or fnmatchcase(name.casefold(), one.casefold()) for one in ignored)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
