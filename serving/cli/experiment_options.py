"""The options that commands about experiments share, and how their texts are read."""

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from experiments.unit_files import MetricColumns


class MissingOutcome(StrEnum):
    """What an empty outcome means (`experiments.unit_files.Missing`, which loads numpy)."""

    REFUSE = "refuse"
    ZERO = "zero"
    LEAVE_OUT = "leave-out"


UnitsArgument = Annotated[
    Path, typer.Argument(help="One row for each unit (.csv, .csv.gz, .parquet).", show_default=False)
]
ArmOption = Annotated[str, typer.Option(help="Column with the arm of each unit.")]
ControlOption = Annotated[str, typer.Option(help="The arm the others are compared with.")]
CovariateOption = Annotated[
    list[str] | None, typer.Option(help="Column known before the test, for CUPED; repeat for more.")
]
WeightsOption = Annotated[str | None, typer.Option(help="Designed split: a=.5,b=.5. Default: equal.")]
ClusterOption = Annotated[str | None, typer.Option(help="Column whose rows are alike: the agent or the branch.")]
AlphaOption = Annotated[float, typer.Option(help="Level of the intervals, two-sided: .05 gives 95 %.")]
PlannedOption = Annotated[
    int | None, typer.Option(min=2, help="Units planned over all arms before the start. Default: rows of the file.")
]
MissingOption = Annotated[MissingOutcome, typer.Option(help="What an empty outcome means.")]
OverOption = Annotated[
    str | None, typer.Option(help="Column with the time (ISO 8601) or the order of the units. Default: their rows.")
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="DIR", file_okay=False, help="Draw the first metric's effect as it became known.")
]


def check_share(option: str, share: float) -> None:
    """Raise a usage error unless the share lies between 0 and 1; not-a-numbers do not."""
    if not 0 < share < 1:
        raise typer.BadParameter("Give a number between 0 and 1.", param_hint=option)


def parse_metric(text: str) -> "MetricColumns":
    """Return the metric that the option names; raises a usage error."""
    found = re.fullmatch(r"(.+):(?:(binary|mean)|ratio=(.+))", text.strip())
    if not found:
        said = f"{text!r} is not COLUMN:binary, COLUMN:mean or COLUMN:ratio=DENOMINATOR."
        raise typer.BadParameter(said, param_hint="--metric")

    from experiments.comparison import MetricKind
    from experiments.unit_files import MetricColumns

    name, kind, denominator = found.groups()
    return MetricColumns(name, MetricKind(kind or "ratio"), denominator)


def parse_weights(text: str) -> dict[str, float]:
    """Return the weights by arm; raises a usage error."""
    pairs = [entry.rpartition("=") for entry in text.split(",")]
    if not all(name.strip() and sign for name, sign, _ in pairs) or len({name for name, *_ in pairs}) < len(pairs):
        raise typer.BadParameter(f"{text!r} is not ARM=WEIGHT,ARM=WEIGHT.", param_hint="--weights")
    numbers = parse_numbers("--weights", ",".join(number for *_, number in pairs))
    return {name.strip(): number for (name, *_), number in zip(pairs, numbers, strict=True)}


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers between the commas; raises a usage error."""
    try:
        return tuple(float(entry) for entry in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a list of numbers with commas.", param_hint=option) from None
