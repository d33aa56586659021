"""`nbo features worth`: what each feature view brings to the ranking and to the chance of acceptance."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.environment import current_settings
from serving.cli.model_options import SeedOption, chosen_families
from serving.cli.output import JsonOption, Progress, emit, interval, progress_bar, table
from serving.cli.propensity_commands import PropensityRequest, matured_answers
from serving.cli.training_features import training_features

if TYPE_CHECKING:
    from serving.settings import Settings
    from training.worth import Worth

_NO_DECISIONS = "an export has no decisions"


def worth(
    model: Annotated[str, typer.Option(help="Families of relevance models with commas, or all.")] = "all",
    relevance: Annotated[
        str | None, typer.Option(help="Let this m-… score again what others decided, for the chance.")
    ] = None,
    events: Annotated[Path | None, typer.Option(help="Folder of exported events; the chance is left out then.")] = None,
    seed: SeedOption = 7,
    as_json: JsonOption = False,
) -> None:
    """Say what each feature view is worth: models with it and without, on the same later purchases and answers.

    Gains are paired, with a 95 % interval over customers; above 0 the view helps. Nothing is registered.
    """
    settings = current_settings()
    with progress_bar() as progress:
        found = _of_relevance(settings, chosen_families(model), seed, progress, events)
        chances, why_not = ([], _NO_DECISIONS) if events else _chances(settings, relevance, seed, progress)
    summary = {"worth": [one.described() for one in (*found, *chances)], "chance_left_out": why_not}
    emit(summary, as_json, _lines((*found, *chances), why_not))


def _of_relevance(
    settings: "Settings", families: tuple[str, ...], seed: int, progress: Progress, events: Path | None = None
) -> "list[Worth]":
    """Measure the views that relevance models read, of the event log or of the export `events`."""
    from training.config import TrainingConfig
    from training.worth import worth_to_relevance

    with training_features(settings, progress, events) as features:
        config = TrainingConfig(features=features, tracking_uri=settings.tracking_uri, models=families, seed=seed)
        return worth_to_relevance(config, progress)


def _chances(
    settings: "Settings", relevance: str | None, seed: int, progress: Progress
) -> "tuple[list[Worth], str | None]":
    """Return what the views are worth to the chance of acceptance, or why that cannot be said."""
    from recsys.domain.errors import ImportInvalid
    from training.worth import worth_to_chances

    asked = PropensityRequest(seed, promote_if_better=False, trainer="", relevance=relevance)
    try:
        with matured_answers(settings, asked, progress, settings.events) as (config, answered):
            return worth_to_chances(config, answered, progress), None
    except ImportInvalid as error:
        return [], str(error)


def _lines(found: "Sequence[Worth]", why_not: str | None) -> str:
    header = ("model", "view", "measure", "with", "without", "gain", "")
    rows = [
        (one.model, one.view, one.measure, f"{one.with_view:.4f}", f"{one.without:.4f}",
         interval(one.gain.rounded()), one.verdict)
        for one in found
    ]  # fmt: skip
    left_out: list[Any] = [f"The chance of acceptance was left out: {why_not}"] if why_not else []
    return "\n".join([table(header, rows), *left_out])
