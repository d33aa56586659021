"""`nbo simulate`: what if the offers or the policy were others, for the whole customer base."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.model_options import SeedOption
from serving.cli.output import JsonOption, Progress, emit, progress_bar, table

if TYPE_CHECKING:
    from recsys.domain.vocabulary import Vocabulary
    from recsys.models.bundle import Bundle
    from recsys.ranking.evidence import OfferEvidence
    from recsys.ranking.people import Occasion
    from recsys.what_if.audience import Audience
    from recsys.what_if.reading import Sample
    from recsys.what_if.rulebook import Rulebook
    from serving.settings import Settings

_SHOWN_OFFERS = 10


def simulate(
    change: Annotated[list[Path], typer.Option(help="YAML of what changes; repeat it for several scenarios.")],
    customers: Annotated[
        int | None, typer.Option(min=1, help="Look at a sample of so many; default: everybody.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Where the contacts take place.")] = "phone",
    at: Annotated[datetime | None, typer.Option(help="When, in UTC; default: now.")] = None,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write JSON, a CSV of offers and pictures.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Decide for everybody as today and with changed offers or policy, and say who gains and who loses."""
    import numpy as np

    from recsys.ranking.people import Occasion
    from recsys.what_if.comparison import compare
    from recsys.what_if.reading import Sample
    from recsys.what_if.relevance import Models
    from recsys.what_if.run import run

    settings = current_settings()
    words = _words(settings)
    where = words.channel(channel)
    if where is None:
        raise typer.BadParameter(f"there are {', '.join(words.channels)}", param_hint="--channel")
    occasion = Occasion(_moment(at), where)
    model = champion(settings)
    with progress_bar() as progress:
        rulebooks, audience, evidence = gather(
            settings, change, occasion, Sample(customers, np.random.default_rng(seed)), progress
        )
        result = {"model_version": model.version if model else "none", **compare(
            audience, run(audience, rulebooks, Models(model, evidence=evidence), progress)
        )}  # fmt: skip
    if out is not None:
        _write(result, out)
    emit(result, as_json, lines(result))


def _words(settings: "Settings") -> "Vocabulary":
    """Return the words of the policy in force."""
    from recsys.storage.database import open_database
    from serving.in_force import PolicyInService

    with closing(open_database(settings.event_log_url, settings.calendar)) as database, database.read() as log:
        return PolicyInService().current(log).words


def _moment(at: datetime | None) -> datetime:
    from recsys.domain.clock import system_clock

    return system_clock() if at is None else at.replace(tzinfo=UTC)


def champion(settings: "Settings") -> "Bundle | None":
    """Return the relevance model in service, None before there is one."""
    from recsys.models.bundle_files import load_bundle
    from training.registry import Registry

    if settings.mlflow_tracking_uri is None and not (settings.home / "mlflow" / "mlflow.db").exists():
        return None
    registry = Registry(settings.tracking_uri)
    version = registry.champion()
    if version is None:
        return None
    registry.fetch(version, settings.bundles)
    return load_bundle(settings.bundles / version, version)


def gather(
    settings: "Settings", changes: Sequence[Path], occasion: "Occasion", sample: "Sample", progress: Progress
) -> tuple[list["Rulebook"], "Audience", "OfferEvidence"]:
    """Return today's rulebook with those of the scenarios, everybody, and the evidence, at one moment of the log."""
    from recsys.catalogue.offers_file import read_yaml
    from recsys.storage.database import open_database
    from serving.offers import what_if

    documents = [(path.name, read_yaml(path)) for path in changes]
    database = open_database(settings.event_log_url, settings.calendar)
    try:
        with database.read() as log:
            return what_if.gather(log, documents, occasion, sample, progress)
    finally:
        database.close()


def _write(result: Mapping[str, Any], directory: Path) -> None:
    """Write the whole result as JSON, and of each scenario its offers as CSV and a picture of the top movers."""
    import csv
    import json

    from training.plots import draw_movers

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "what-if.json").write_text(json.dumps(result, ensure_ascii=False, indent=2), encoding="utf-8")
    for number, scenario in enumerate(result["scenarios"], start=1):
        names = ("open_to", "shown", "first", "share_of_places", "acceptances", "net_value")
        with (directory / f"offers-{number}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            sides = ("today", "scenario")
            rows.writerow(
                ["scenario", "offer_id", "kind", "starves", *(f"{one}_{side}" for one in names for side in sides)]
            )
            for offer in scenario["offers"]:
                cells = [offer[side][one] for one in names for side in sides]
                rows.writerow([scenario["name"], offer["offer_id"], offer["kind"], offer["starves"], *cells])
        movers = {o["offer_id"]: (o["today"]["shown"], o["scenario"]["shown"]) for o in scenario["offers"][:15]}
        draw_movers(movers, scenario["name"], directory / f"movers-{number}")


def lines(result: Mapping[str, Any]) -> str:
    """Return the comparison as compact tables."""
    head = f"{result['customers']:,} customers, {result['channel']}, {result['at']}, model {result['model_version']}"
    parts = [f"{head}\nassumes {result['assumes']}"]
    return "\n\n".join([*parts, *(_scenario(scenario) for scenario in result["scenarios"])])


def _scenario(found: Mapping[str, Any]) -> str:
    parts = [f"== {found['name']} ==", _figures(found["everybody"])]
    header = ("segment", "customers", "net value", "→", "list changed", "worth more", "worth less", "lost all")
    groups = {"everybody": found["everybody"], **found["segments"]}
    parts.append(table(header, [
        (name, f"{one['customers']:,}", *(f"{one[side]['net_value_list']:.3f}" for side in ("today", "scenario")),
         *(f"{one[share]:.1%}" for share in ("list_changed", "worth_more", "worth_less", "lost_all_offers")))
        for name, one in groups.items()
    ]))  # fmt: skip
    parts.append(_offers(found["offers"]))
    counts = list(found["held_back"].items())[:_SHOWN_OFFERS]
    parts.append(table(("held back by", "today", "→"), [
        (code, f"{one['today']:,}", f"{one['scenario']:,}") for code, one in counts
    ]))  # fmt: skip
    return "\n\n".join(parts)


def _figures(everybody: Mapping[str, Any]) -> str:
    names = {
        "acceptances_first": "acceptances, first offer",
        "acceptances_list": "acceptances, whole list",
        "net_value_first": "net value, first offer",
        "net_value_list": "net value, whole list",
    }
    rows = []
    for key, name in names.items():
        was, now = everybody["today"][key], everybody["scenario"][key]
        rows.append((name, f"{was:.4f}", f"{now:.4f}", f"{now - was:+.4f}"))
    was, now = everybody["today"]["without_offer"], everybody["scenario"]["without_offer"]
    rows.append(("customers without any offer", f"{was:.2%}", f"{now:.2%}", f"{100 * (now - was):+.2f} points"))
    return table(("expected per contact", "today", "scenario", "change"), rows)


def _offers(offers: Sequence[Mapping[str, Any]]) -> str:
    """Return the offers whose places change most, those that are new and those that starve."""
    header = ("offer", "", "shown", "→", "first", "→", "acceptances", "→", "held back by")
    starving = [one for one in offers if one["starves"]]
    top, others = offers[:_SHOWN_OFFERS], offers[_SHOWN_OFFERS:]
    new = [one for one in others if one["kind"] == "new"]
    listed = [*top, *new, *(one for one in others if one["starves"] and one not in new)]
    rows = []
    for one in listed[: 2 * _SHOWN_OFFERS]:
        was, now = one["today"], one["scenario"]
        why = ", ".join(f"{code} {count:,}" for code, count in now["held_back"].items())
        mark = "starves" if one["starves"] else one["kind"].replace("kept", "")
        counts = [f"{side[name]:,.0f}" for name in ("shown", "first", "acceptances") for side in (was, now)]
        rows.append((one["offer_id"], mark, *counts, why))
    more = f"\n{len(starving)} of {len(offers)} offers starve" if starving else ""
    return table(header, rows) + more
