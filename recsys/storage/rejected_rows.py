"""Writes the rows an import could not use to rejected.csv, beside the files they come from."""

import csv
import os
from collections import Counter
from pathlib import Path
from typing import IO

from recsys.storage.import_report import RejectedKind

NAME = "rejected.csv"
_MOST_KINDS = 1_000


class RejectedRows:
    """Collects bad rows on disk; the file takes its name only when the import is through.

    `counts` are rows by file: several reasons of one row, told one after another, count once.
    """

    def __init__(self, directory: Path, fallback: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._places = [directory, *([fallback] if fallback else [])]
        self._file: IO[str] | None = None
        self._last: tuple[str, int] | None = None
        self._kinds: dict[tuple[str, str, str], tuple[int, int]] = {}

    def add(self, file: str, line: int, column: str, reason: str) -> None:
        """Note a row of `file`; raises OSError when neither place can be written."""
        self._file = self._file or self._open()
        csv.writer(self._file).writerow((file, line, column, reason))
        self.counts[file] += self._last != (file, line)
        self._last = file, line
        kind = file, column, reason
        if kind in self._kinds or len(self._kinds) < _MOST_KINDS:
            rows, first = self._kinds.get(kind, (0, line))
            self._kinds[kind] = rows + 1, first

    def kinds(self) -> list[RejectedKind]:
        """Return why rows were rejected, the most frequent reason of each file first."""
        found = [RejectedKind(*kind, rows, first) for kind, (rows, first) in self._kinds.items()]
        return sorted(found, key=lambda kind: (kind.file, -kind.rows, kind.first_line))

    def finish(self) -> Path | None:
        """Put the file in place and return it; without bad rows remove that of an earlier import."""
        if self._file is None:
            for place in self._places:
                (place / NAME).unlink(missing_ok=True)
            return None
        self._file.close()
        path = Path(self._file.name).with_name(NAME)
        os.replace(self._file.name, path)
        return path

    def discard(self) -> None:
        """Forget everything: the import did not happen."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)

    def _open(self) -> IO[str]:
        *before, last = self._places
        for place in before:
            try:
                return _begin(place)
            except OSError:
                continue
        last.mkdir(parents=True, exist_ok=True)
        return _begin(last)


def _begin(place: Path) -> IO[str]:
    file = (place / f".{NAME}.{os.getpid()}").open("w", encoding="utf-8", newline="")
    csv.writer(file).writerow(("file", "line", "column", "reason"))
    return file
