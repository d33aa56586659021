"""`nbo experiment uplift`: whom a treatment moves, and whether choosing whom to treat pays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli.experiment_options import (
    ArmOption,
    ControlOption,
    MissingOption,
    MissingOutcome,
    UnitsArgument,
    WeightsOption,
    parse_metric,
    parse_weights,
)
from serving.cli.experiment_pictures import draw_ranking
from serving.cli.experiment_texts import targeting_lines
from serving.cli.model_options import SeedOption
from serving.cli.output import JsonOption, emit, progress_bar

if TYPE_CHECKING:
    from experiments.targeting import Asked

PictureOption = Annotated[
    Path | None, typer.Option(metavar="DIR", file_okay=False, help="Draw what treating by predicted uplift brings.")
]
LONG = 100_000
"""Units from which on it takes long enough to show progress."""


def uplift(
    file: UnitsArgument,
    arm: ArmOption,
    control: ControlOption,
    metric: Annotated[str, typer.Option(help="COLUMN:binary or COLUMN:mean.")],
    features: Annotated[str, typer.Option(help="Columns known before the treatment, numbers or texts: a,b,c.")],
    treatment: Annotated[str | None, typer.Option(help="The arm to look at. Default: the only other one.")] = None,
    segment: Annotated[str | None, typer.Option(help="Column known before, to give effects by.")] = None,
    propensity: Annotated[str | None, typer.Option(help="Column with the chance of treatment, not control.")] = None,
    weights: WeightsOption = None,
    missing: MissingOption = MissingOutcome.REFUSE,
    seed: SeedOption = 0,
    out: PictureOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whom a treatment moves: the effect, by segment, and what treating the most promising first brings."""
    import numpy as np

    from experiments.targeting import Asked, target
    from experiments.unit_files import Missing, UnitColumns, read_units

    names = tuple(dict.fromkeys(name.strip() for name in features.split(",") if name.strip()))
    designed = parse_weights(weights) if weights else None
    asked = Asked(parse_metric(metric), control, names, treatment, segment, propensity, designed, Missing(missing))
    _check(asked, arm)
    units = read_units(file, UnitColumns(arm, control, (asked.metric,), texts=asked.texts))
    with _progress(len(units.lines)) as progress:
        found = target(units, asked, np.random.default_rng(seed), progress)
    pictures = draw_ranking(found, out) if out is not None and found.srm.verdict == "ok" else ()
    document = {**found.as_json(), "segment": segment, "features": names, "pictures": [str(path) for path in pictures]}
    emit(document, as_json, targeting_lines(found, segment, pictures))


def _check(asked: "Asked", arm: str) -> None:
    """Raise a usage error for options that contradict each other."""
    known_after = (asked.metric.name, arm)
    if asked.metric.kind.value == "ratio":
        raise typer.BadParameter("Uplift is of COLUMN:binary or COLUMN:mean.", param_hint="--metric")
    if not asked.features:
        raise typer.BadParameter("Name at least one column.", param_hint="--features")
    if wrong := [name for name in asked.features if name in known_after]:
        said = f"{wrong[0]} is the outcome or the arm; a feature is what was known of the unit before."
        raise typer.BadParameter(said, param_hint="--features")
    if asked.segment in known_after:
        said = f"{asked.segment} is the outcome or the arm; a segment is what was known of the unit before."
        raise typer.BadParameter(said, param_hint="--segment")
    if asked.treatment == asked.control:
        raise typer.BadParameter("It is the control.", param_hint="--treatment")
    if asked.propensity and asked.weights:
        raise typer.BadParameter("Give --weights or --propensity, not both.", param_hint="--propensity")


@contextmanager
def _progress(units: int) -> Iterator[Callable[[str], None]]:
    if units < LONG:
        yield lambda _: None
        return
    with progress_bar() as report:
        yield lambda what: report(what, 0, None)
