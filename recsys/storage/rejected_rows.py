"""Writes the rows an import could not use to rejected.csv, beside the files they come from."""

import csv
import os
from collections import Counter
from pathlib import Path
from typing import IO

NAME = "rejected.csv"


class RejectedRows:
    """Collects bad rows on disk; the file takes its name only when the import is through."""

    def __init__(self, directory: Path, fallback: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._places = [directory, *([fallback] if fallback else [])]
        self._file: IO[str] | None = None

    def add(self, file: str, line: int, column: str, reason: str) -> None:
        """Note a row of `file`; raises OSError when neither place can be written."""
        self._file = self._file or self._open()
        csv.writer(self._file).writerow((file, line, column, reason))
        self.counts[file] += 1

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
