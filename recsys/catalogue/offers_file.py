"""Offers from a file: YAML, CSV or Parquet, plain or gzipped, read within bounds."""

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from recsys.catalogue.offer_rows import Row, parse_offers
from recsys.domain.conventions import AS_SHIPPED, Conventions
from recsys.domain.errors import ImportInvalid
from recsys.domain.offer import Offer
from recsys.rules.vocabulary import Vocabulary

MAX_BYTES = 32 * 1024 * 1024
MAX_YAML_BYTES = 4 * 1024 * 1024
MAX_YAML_DEPTH = 8


def load_offers_file(path: Path, vocabulary: Vocabulary, reading: Conventions = AS_SHIPPED) -> tuple[Offer, ...]:
    """Return the offers of a .yaml, .yml, .csv or .parquet file, each also with .gz behind it.

    Raises `ImportInvalid` for a file that cannot be read, `CatalogueInvalid` for offers that cannot be used.
    """
    return parse_offers(read_offer_rows(path), vocabulary, reading)


def read_offer_rows(path: Path) -> list[Row]:
    """Return the rows of such a file, unchecked; raises `ImportInvalid`."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    is_gzipped = suffixes[-1:] == [".gz"]
    suffix = next(iter(suffixes[:-1][-1:] if is_gzipped else suffixes[-1:]), "")
    if suffix not in _FORMATS:
        raise ImportInvalid(f"{path.name}: offers come as {', '.join(_FORMATS)}, plain or with .gz")
    return _FORMATS[suffix](_read_bounded(path, is_gzipped), path.name)


def read_placed_offers(path: Path) -> list[tuple[int, Row]]:
    """Return the rows of a YAML or Parquet file, unchecked, with the line (Parquet: the row, from 1) of each.

    Raises `ImportInvalid`.
    """
    rows = read_offer_rows(path)
    is_gzipped = path.suffix.lower() == ".gz"
    if {".yaml", ".yml"} & {suffix.lower() for suffix in path.suffixes}:
        return list(zip(_yaml_lines(_read_bounded(path, is_gzipped)), rows, strict=True))
    return list(enumerate(rows, start=1))


def _yaml_lines(content: bytes) -> list[int]:
    """Return the lines on which the offers of a document begin that `_yaml_rows` has read."""
    import yaml

    root: Any = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    if isinstance(root, yaml.MappingNode):
        root = next(value for key, value in reversed(root.value) if key.value == "offers")
    return [node.start_mark.line + 1 for node in root.value]


def _read_bounded(path: Path, is_gzipped: bool) -> bytes:
    try:
        with gzip.open(path) if is_gzipped else path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise ImportInvalid(f"{path.name}: cannot be read ({type(error).__name__})") from error
    if len(content) > MAX_BYTES:
        raise ImportInvalid(f"{path.name}: larger than {MAX_BYTES} bytes; split it")
    return content


def _csv_rows(content: bytes, name: str) -> list[Row]:
    try:
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ImportInvalid(f"{name}, line {line}: not UTF-8") from error
    except csv.Error as error:
        raise ImportInvalid(f"{name}: {error}") from error


def _parquet_rows(content: bytes, name: str) -> list[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[Row] = pq.read_table(io.BytesIO(content)).to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ImportInvalid(f"{name}: not a Parquet file that can be read") from error
    return rows


def read_yaml(path: Path) -> object:
    """Return what a YAML file holds, without aliases and within bounds; raises `ImportInvalid` with file and line."""
    return _yaml_document(_read_bounded(path, is_gzipped=False), path.name)


def _yaml_document(content: bytes, name: str) -> Any:
    import yaml

    if len(content) > MAX_YAML_BYTES:
        raise ImportInvalid(f"{name}: larger than {MAX_YAML_BYTES} bytes; use CSV or Parquet")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_yaml(yaml.parse(content, Loader=loader), name)
        return yaml.load(content, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ImportInvalid(f"{name}, line {line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ImportInvalid(f"{name}: not YAML that can be read") from error


def _yaml_rows(content: bytes, name: str) -> list[Row]:
    document = _yaml_document(content, name)
    rows = document.get("offers") if isinstance(document, Mapping) else document
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ImportInvalid(f"{name}: must be a list of offers, or hold one under `offers`")
    return rows


def _check_yaml(events: Any, name: str) -> None:
    """Refuse what grows when it is loaded (aliases) and what is deeper than an offer ever is."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise ImportInvalid(f"{name}, line {line}: aliases (*name) are not allowed here")
        if depth > MAX_YAML_DEPTH:
            raise ImportInvalid(f"{name}, line {line}: nested too deeply for offers")


_FORMATS: Mapping[str, Callable[[bytes, str], list[Row]]] = {
    ".yaml": _yaml_rows,
    ".yml": _yaml_rows,
    ".csv": _csv_rows,
    ".parquet": _parquet_rows,
}
