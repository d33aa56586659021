"""The commands `nbo features`: events out as Parquet and feature tables, definitions registered, features online."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.output import JsonOption, Progress, emit, progress_bar, table
from serving.cli.own_features import applied_own, checked_own, export_own, keep_own, push_again

if TYPE_CHECKING:
    from features.skew import SkewReport
    from serving.settings import Settings

LOOPBACK = "127.0.0.1"


def export(as_json: JsonOption = False) -> None:
    """Write the event log as Parquet, and build the feature tables from it, and those of the bank's own views.

    Exits 1 where something of the bank's own is wrong: that view goes on with the table that it had.
    """
    with progress_bar() as progress:
        summary = export_features(current_settings(), progress)
    rows = {**summary["events"], **summary["tables"]}
    ahead = [f"{name}: {count} rows lie in the future, and wait for it" for name, count in summary["ahead"].items()]
    lines = [f"{name}: {count} rows" for name, count in rows.items()]
    lines += [*ahead, *summary["problems"], _took(summary)]
    emit(summary, as_json, "\n".join(lines))
    if summary["problems"]:
        raise typer.Exit(1)


def apply(as_json: JsonOption = False) -> None:
    """Register entities, views and services in the feature registry, the bank's own views too; needs no Redis.

    All of it or nothing: one line says what is wrong with each of the bank's views, by file, feature, expected, found.
    """
    summary = apply_features(current_settings())
    emit(summary, as_json, f"applied: {', '.join(summary['views'])}\n{_took(summary)}")


EverybodyOption = Annotated[bool, typer.Option("--everybody", help="Write every row, changed or not.")]


def materialize(everybody: EverybodyOption = False, as_json: JsonOption = False) -> None:
    """Write features as of the last export online: of whom they changed, of everybody into an emptied store.

    Exits 1 where one of the bank's own views could not be written: it is named, and the others are.
    """
    from serving.embedded_redis import redis_of

    settings = current_settings()
    with redis_of(settings) as redis_url, progress_bar() as progress:
        summary = materialize_features(settings, redis_url, progress, everybody)
    lines = [
        f"{v['view']}: {v['rows']} rows, {v['rows_per_second']} rows/s" if v["problem"] is None
        else f"{v['view']}: not written, {v['problem']}"
        for v in summary["views"]
    ]  # fmt: skip
    emit(summary, as_json, "\n".join([*lines, _took(summary)]))
    if any(v["problem"] for v in summary["views"]):
        raise typer.Exit(1)


def ui(port: Annotated[int, typer.Option(min=1, max=65535)] = 8888, as_json: JsonOption = False) -> None:
    """Show Feast's own pages of views, services and sources, on this machine only.

    They have routes that write, and no sign-in: there is no option for another address.
    """
    from features.gateway import FeatureGateway

    settings = current_settings()
    gateway = FeatureGateway(settings, settings.redis_url or "unix:///not/used/by/pages")
    try:
        address = f"http://{LOOPBACK}:{port}"
        emit({"address": address}, as_json, f"Feast's pages: {address} (Ctrl+C ends them)")
        gateway.serve_pages(LOOPBACK, port)
    finally:
        gateway.close()


def skew(as_json: JsonOption = False) -> None:
    """Compare what the last 90 days' decisions were told with what the feature tables say of the same moments.

    Exits 1 when a feature differs more often than it may: a model that learned from it is misled in service.
    """
    from serving.embedded_redis import redis_of

    settings = current_settings()
    with redis_of(settings) as redis_url, progress_bar() as progress:
        progress("comparing", 0, 1)
        report = measure(settings, redis_url)
        progress("comparing", 1, 1)
    emit(report.described(), as_json, _skew_text(report))
    if report.skewed:
        raise typer.Exit(1)


def measure(settings: "Settings", redis_url: str) -> "SkewReport":
    """Measure the skew of the event log's decisions."""
    from features.gateway import FeatureGateway
    from recsys.domain.clock import system_clock
    from recsys.storage.database import open_database
    from serving.models.feature_skew import feature_skew

    database = open_database(settings.event_log_url, settings.calendar)
    gateway = FeatureGateway(settings, redis_url, own=applied_own(settings))
    try:
        return feature_skew(settings, database, gateway, system_clock)
    finally:
        gateway.close()
        database.close()


def _skew_text(report: "SkewReport") -> str:
    said = f"{report.decisions} decisions compared"
    if report.too_new:
        said += f"; {report.too_new} are newer than the feature tables: `nbo features export` takes them in"
    rows = [
        (one.feature, str(one.decisions), str(one.pairs), str(one.different), f"{one.share:.2%}", str(one.logged_only),
         str(one.joined_only), "" if one.mean_difference is None else f"{one.mean_difference:.4g}",
         "skewed" if one.is_skewed else "" if one.is_judged else "not enough yet")
        for one in report.features
    ]  # fmt: skip
    header = ("feature", "compared", "known", "differ", "share", "only online", "only tables", "mean |difference|", "")
    return "\n".join([said, table(header, rows)] if rows else [said])


def export_features(settings: "Settings", progress: Progress, known_until: datetime | None = None) -> dict[str, Any]:
    """Export the event log below the offline folder and build the feature tables; rows by part, and seconds.

    The tables are as of `known_until` (None: now): nothing after it is looked at.
    """
    from features.feast_store import feature_tables_folder
    from features.feature_tables import build_feature_tables
    from recsys.domain.clock import system_clock
    from recsys.domain.errors import InvalidInput
    from recsys.storage.database import open_database
    from recsys.storage.export import export_events

    if settings.database_url is None and not (settings.home / "nbo.db").exists():
        raise InvalidInput("There is no event log yet: run `nbo import DIR` or `nbo demo`.")
    started, as_of = time.perf_counter(), known_until or system_clock()
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        database.upgrade()
        with database.read() as log:
            facts_version = log.facts_version()
        events = export_events(database, settings.events, progress)
    finally:
        database.close()
    built = build_feature_tables(settings.events, feature_tables_folder(settings), as_of, progress, facts_version)
    own = export_own(settings, as_of, progress)
    return {
        "as_of": as_of.isoformat(),
        "events": events,
        "tables": built | own.rows,
        "problems": list(own.problems),
        "ahead": dict(own.ahead),
        "seconds": _since(started),
    }


def apply_features(settings: "Settings") -> dict[str, Any]:
    """Register the definitions; the names of the views, and seconds."""
    from features.gateway import FeatureGateway

    started, own = time.perf_counter(), checked_own(settings)
    gateway = FeatureGateway(settings, settings.redis_url or "unix:///not/used/by/apply", own=own)
    try:
        views = gateway.apply()
    finally:
        gateway.close()
    keep_own(settings, own)
    return {"views": views, "seconds": _since(started)}


def materialize_features(
    settings: "Settings", redis_url: str, progress: Progress, everybody: bool = False
) -> dict[str, Any]:
    """Write the features as of the last export online; rows and rows a second by view, and seconds."""
    from features.gateway import FeatureGateway

    started, own = time.perf_counter(), applied_own(settings)
    gateway = FeatureGateway(settings, redis_url, own=own)
    try:
        written = gateway.materialize(progress, everybody=everybody)
        push_again(settings, gateway, own)
    finally:
        gateway.close()
    views = [
        {
            "view": v.view,
            "rows": v.rows,
            "seconds": v.seconds,
            "rows_per_second": round(v.rows / max(v.seconds, 1e-9)),
            "problem": v.problem,
        }
        for v in written
    ]
    return {"views": views, "rows": sum(v.rows for v in written), "seconds": _since(started)}


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)


def _took(summary: dict[str, Any]) -> str:
    return f"took {summary['seconds']:.1f} s"
