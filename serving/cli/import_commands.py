"""The commands `nbo init` and `nbo import`: the event log's tables, and the bank's own data in them."""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.import_texts import summary_lines
from serving.cli.output import JsonOption, Progress, emit, progress_bar

if TYPE_CHECKING:
    from recsys.storage.import_report import ImportReport
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
    mapping: Annotated[Path | None, typer.Option(help="YAML: what the files, columns and their cells mean.")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say how everything would be read, write a mapping to edit, save nothing.")
    ] = False,
    max_rejected: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Exit with 1 when a file loses a larger share of its rows.")
    ] = 0.01,
    time_zone: Annotated[
        str | None, typer.Option(help="Of times without a zone, such as Asia/Shanghai; else NBO_TIME_ZONE.")
    ] = None,
    known_at: Annotated[
        str | None, typer.Option(help="Since when facts of customers are known, where files do not say; else now.")
    ] = None,
    consents_as_of: Annotated[
        str | None, typer.Option(help="Since when consents are as they are, where files do not say.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Import customers, offers, interactions and contacts; see docs/import.md."""
    settings = current_settings()
    zone = time_zone or settings.time_zone
    if not is_time_zone(zone):
        raise typer.BadParameter(f"there is no time zone {zone!r}; use a name such as Asia/Shanghai or UTC.")
    said = {"--known-at": known_at, "--consents-as-of": consents_as_of}
    known, consented = (moment_of(option, text, zone) for option, text in said.items())
    wishes = ImportWishes(replace, mapping, zone, max_rejected, plan, known, consented)
    with progress_bar() as progress:
        summary = import_files(settings, directory, progress, wishes)
    emit(summary, as_json, summary_lines(summary))
    for problem in summary["problems"]:
        what = "nothing was saved" if plan else "what was good is saved, the rest is not"
        typer.secho(f"nbo: {problem} ({what})", fg=typer.colors.RED, err=True)
    if summary["problems"]:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class ImportWishes:
    """What the user asks of an import; times without a zone are in `time_zone`."""

    replace: bool = False
    mapping: Path | None = None
    time_zone: str = "UTC"
    max_rejected: float = 0.01
    plan: bool = False
    known_at: datetime | None = None
    consents_as_of: datetime | None = None


def import_files(
    settings: "Settings", directory: Path, progress: Progress, wishes: ImportWishes | None = None
) -> dict[str, Any]:
    """Import `directory` into the event log, whose tables are made first if need be; returns the report."""
    from recsys.domain.clock import system_clock
    from recsys.storage.database import open_database
    from recsys.storage.import_directory import ImportOptions, import_directory
    from recsys.storage.import_mapping import known_zone, parse_ignored, parse_mapping
    from serving.cli.imported_offers import next_catalogue

    asked = wishes or ImportWishes(time_zone=settings.time_zone)
    document = _read_yaml(asked.mapping) if asked.mapping else {}
    options = ImportOptions(
        build_catalogue=next_catalogue,
        clock=system_clock,
        replace=asked.replace,
        mapping=parse_mapping(document),
        fallback=settings.home.absolute() / "imports",
        progress=progress,
        zone=known_zone(asked.time_zone),
        most_rejected=asked.max_rejected,
        known_at=asked.known_at,
        consents_as_of=asked.consents_as_of,
        plan=asked.plan,
        ignored=parse_ignored(document),
    )
    with ExitStack() as stack:
        address = settings.event_log_url
        if asked.plan and not _is_there(address):
            address = f"sqlite:///{stack.enter_context(TemporaryDirectory())}/plan.db"
        database = open_database(address, settings.calendar)
        stack.callback(database.close)
        if not asked.plan or address != settings.event_log_url:
            database.upgrade()
        report = import_directory(database, directory, options)
    summary = asdict(report) | {"time_zone": asked.time_zone}
    summary["rejected_path"] = str(report.rejected_path) if report.rejected_path else None
    if asked.plan:
        summary["mapping_path"] = str(_write_mapping(directory, settings, report, document, asked))
    return summary


def moment_of(option: str, text: str | None, zone: str) -> datetime | None:
    """Return the moment an option names; wrong usage when it is none."""
    from recsys.storage.cell_formats import YEAR_FIRST, moment_reader
    from recsys.storage.import_mapping import known_zone

    if text is None:
        return None
    try:
        return moment_reader(YEAR_FIRST)(text).begins(known_zone(zone))
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{option} must be a moment such as 2026-01-31 or 2026-01-31T09:00+08:00.") from None


def is_time_zone(name: str) -> bool:
    """Return whether there is a time zone of this name."""
    from recsys.domain.errors import ImportInvalid
    from recsys.storage.import_mapping import known_zone

    try:
        known_zone(name)
    except ImportInvalid:
        return False
    return True


def _is_there(address: str) -> bool:
    """Return whether the event log exists already: looking into one that does not would make it."""
    return not address.startswith("sqlite:///") or Path(address.removeprefix("sqlite:///")).exists()


def _write_mapping(
    directory: Path, settings: "Settings", report: "ImportReport", document: Mapping[str, Any], asked: ImportWishes
) -> Path:
    """Write what reproduces the reading beside the files, or where it can be written, never over another file."""
    import yaml

    from recsys.storage.import_plan import mapping_document

    text = yaml.safe_dump(mapping_document(report, document, asked.time_zone), allow_unicode=True, sort_keys=False)
    text = "# How `nbo import --plan` would read these files; edit it and give it to `nbo import --mapping`.\n" + text
    for place in (directory, settings.home.absolute() / "imports"):
        with suppress(PermissionError):
            place.mkdir(parents=True, exist_ok=True)
            return _write_new(place, text)
    raise PermissionError(f"no mapping can be written to {directory}")


def _write_new(place: Path, text: str) -> Path:
    number = 1
    while True:
        path = place / ("mapping.yaml" if number == 1 else f"mapping-{number}.yaml")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            number += 1
        else:
            return path


def _read_yaml(path: Path) -> Any:
    import yaml

    from recsys.domain.errors import ImportInvalid

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ImportInvalid(f"The mapping {path} cannot be read.") from error
    except yaml.YAMLError as error:
        raise ImportInvalid(f"The mapping {path} is not YAML: {error}") from error
