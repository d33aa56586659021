"""The commands `nbo init` and `nbo import`: the event log's tables, and the bank's own data in them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.domain.conventions import AS_SHIPPED, AS_STORED, Conventions
from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, Progress, emit, progress_bar

if TYPE_CHECKING:
    from recsys.storage.import_directory import NextCatalogue
    from serving.settings import Settings


def init(as_json: JsonOption = False) -> None:
    """Create the event log's tables, or bring them to this version."""
    from recsys.storage.database import open_database

    settings = current_settings()
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        database.upgrade()
        with database.read() as log:
            rows = log.counts()
    finally:
        database.close()
    emit({"ready": True, "rows": rows}, as_json, "The event log is ready.")


def import_(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Holds interactions.csv and what else there is.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="These files are the whole truth of imported rows.")
    ] = False,
    mapping: Annotated[Path | None, typer.Option(help="YAML: which file and column stands for which.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Import customers, offers, interactions and contacts; see docs/import.md."""
    with progress_bar() as progress:
        summary = import_files(current_settings(), directory, progress, replace=replace, mapping=mapping)
    emit(summary, as_json, _lines(summary))


def import_files(
    settings: "Settings", directory: Path, progress: Progress, *, replace: bool = False, mapping: Path | None = None
) -> dict[str, Any]:
    """Import `directory` into the event log, whose tables are made first if need be; returns the report."""
    from recsys.domain.clock import system_clock
    from recsys.storage.database import open_database
    from recsys.storage.import_directory import ImportOptions, import_directory
    from recsys.storage.import_mapping import parse_mapping
    from serving.in_force import PolicyInService, conventions

    database = open_database(settings.event_log_url, settings.calendar)
    database.upgrade()
    with database.read() as log:
        reading = conventions(log, PolicyInService().current(log))
    options = ImportOptions(
        build_catalogue=partial(next_catalogue, reading=reading),
        clock=system_clock,
        replace=replace,
        mapping=parse_mapping(_read_yaml(mapping)) if mapping else {},
        fallback=settings.home.absolute() / "imports",
        progress=progress,
    )
    try:
        report = asdict(import_directory(database, directory, options))
    finally:
        database.close()
    report["rejected_path"] = str(report["rejected_path"]) if report["rejected_path"] else None
    return report


def next_catalogue(
    file: Path | None,
    in_force: Sequence[dict[str, Any]],
    named: Sequence[str],
    attribute_types: Mapping[str, str],
    *,
    reading: Conventions = AS_SHIPPED,
) -> "NextCatalogue":
    """Return the offers in force, with those of `file` in their place and one for every other `named` id.

    `reading` is how the file is written. Raises `CatalogueInvalid` when a rule is broken, or names what customers
    have not.
    """
    from recsys.catalogue import build_catalogue, load_offers_file, offer_to_dict, parse_offers
    from recsys.domain.offer import Offer
    from recsys.rules import BUILT_IN, ValueType
    from recsys.storage.import_directory import NextCatalogue

    vocabulary = {**{name: ValueType(type_) for name, type_ in attribute_types.items()}, **BUILT_IN}
    read = load_offers_file(file, vocabulary, reading) if file else ()
    offers = {offer.offer_id: offer for offer in (*parse_offers(in_force, vocabulary, AS_STORED), *read)}
    created = [Offer(name, title_en=name, title_zh=name) for name in named if name not in offers]
    catalogue = build_catalogue([*offers.values(), *created], vocabulary)
    saved = [offer_to_dict(offer) for offer in catalogue.offers]
    return NextCatalogue(catalogue.version, saved, catalogue.rule_types, len(read), len(created))


def _read_yaml(path: Path) -> Any:
    import yaml

    from recsys.domain.errors import ImportInvalid

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ImportInvalid(f"The mapping {path} cannot be read.") from error
    except yaml.YAMLError as error:
        raise ImportInvalid(f"The mapping {path} is not YAML: {error}") from error


def _lines(summary: Mapping[str, Any]) -> str:
    lines = [
        f"{file}: {rows['read']:,} rows read, {rows['added']:,} added, {rows['changed']:,} changed, "
        f"{rows['already_there']:,} already there, {rows['rejected']:,} rejected"
        for file, rows in summary["files"].items()
    ]
    lines.append(f"created: {summary['customers_created']:,} customers, {summary['offers_created']:,} offers")
    lines.append(f"took {summary['seconds']:.1f} s")
    if summary["rejected_path"]:
        lines.append(f"the rejected rows, with their reasons: {summary['rejected_path']}")
    return "\n".join(lines)
