"""What an import did: what became of every row, how every column was read, and what somebody should look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.storage.mapping_query import SourceReport


@dataclass(frozen=True, slots=True)
class ColumnReport:
    """One column of a file: what it becomes (our column, an attribute, or nothing), and how its cells were read.

    `name` is the column under our name, `decided_by` the line that left no other way of reading it.
    """

    column: str
    name: str
    becomes: str
    type: str = ""
    dates: str = ""
    decimal: str = ""
    thousands: str = ""
    decided_by: str = ""


@dataclass(slots=True)
class FileReport:
    """What became of the rows of one file; `already_there` are those that changed nothing."""

    read: int = 0
    added: int = 0
    changed: int = 0
    already_there: int = 0
    rejected: int = 0
    in_future: int = 0
    encoding: str = ""
    delimiter: str = ""
    columns: list[ColumnReport] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RejectedKind:
    """Rows rejected for one reason: how many, and the line of the first."""

    file: str
    column: str
    reason: str
    rows: int
    first_line: int


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A channel or reason that the vocabulary does not know: how often it stands there, and the name it is nearest."""

    part: str
    word: str
    times: int
    nearest: str | None


@dataclass(frozen=True, slots=True)
class ExtractReport:
    """A file that says at each of its dates what is held: what its rows come to.

    `how` it was recognised: by its rows ("recognised"), by the log ("like what is known"), or "declared". Of
    `first_unknown` holdings nobody knows since when; `ended` are those that the extract after lacks.
    """

    how: str
    rows: int
    dates: int
    first: str
    last: str
    holdings: int
    first_unknown: int
    ended: int


@dataclass(slots=True)
class ImportReport:
    """What an import did, by file; `tables` name the file of each table.

    Customers and offers created are those that only other files name; `held` customers are not sold to because a row
    that names them could not be read; nothing read `unread_files`. `problems` are why somebody must look at it
    although what was good is saved; `notices` what may surprise.
    """

    files: dict[str, FileReport] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    sources: dict[str, SourceReport] = field(default_factory=dict)
    extracts: dict[str, ExtractReport] = field(default_factory=dict)
    customers_created: int = 0
    offers_created: int = 0
    consents_written: int = 0
    held: int = 0
    unread_files: list[str] = field(default_factory=list)
    unknown_words: list[UnknownWord] = field(default_factory=list)
    catalogue_version: str | None = None
    seconds: float = 0.0
    rejected_path: Path | None = None
    rejected_kinds: list[RejectedKind] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def find_losses(self, most_rejected: float) -> None:
        """Add a problem for every file that lost more than this share of its rows, or all of them."""
        read: Mapping[str, FileReport | SourceReport] = {**self.sources, **self.files}
        for name, file in read.items():
            if file.rejected and (file.rejected == file.read or file.rejected > most_rejected * file.read):
                share = file.rejected / file.read
                self.problems.append(f"{name}: {file.rejected:,} of {file.read:,} rows were rejected ({share:.1%}).")
