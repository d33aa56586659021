"""`nbo experiment`: what an A/B test found, whether its split is right, and how many units one needs."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serving.cli.experiment_options import (
    AlphaOption,
    ArmOption,
    ClusterOption,
    ControlOption,
    CovariateOption,
    MissingOption,
    MissingOutcome,
    OutOption,
    OverOption,
    PlannedOption,
    UnitsArgument,
    WeightsOption,
    check_share,
    parse_metric,
    parse_numbers,
    parse_weights,
)
from serving.cli.experiment_pictures import LooksPicture, draw_looks, looks_document
from serving.cli.experiment_texts import looks_lines, power_lines, readout_lines, split_lines
from serving.cli.output import JsonOption, emit

if TYPE_CHECKING:
    from experiments.power import PowerPlan
    from experiments.unit_files import Missing, UnitColumns, Units


class Kind(StrEnum):
    """What the metric of a planned test is."""

    BINARY = "binary"
    MEAN = "mean"


def analyse(
    file: UnitsArgument,
    arm: ArmOption,
    control: ControlOption,
    metric: Annotated[
        list[str], typer.Option(help="COLUMN:binary, COLUMN:mean or COLUMN:ratio=DENOMINATOR; repeat for more.")
    ],
    covariate: CovariateOption = None,
    weights: WeightsOption = None,
    cluster: ClusterOption = None,
    alpha: AlphaOption = 0.05,
    planned_n: PlannedOption = None,
    missing: MissingOption = MissingOutcome.REFUSE,
    over: OverOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what each arm did to each metric, with intervals for one look and for looks at any time."""
    check_share("--alpha", alpha)
    metrics = tuple(parse_metric(text) for text in metric)
    designed = parse_weights(weights) if weights else None
    _check_order(over, out)

    from experiments.analysis import analyse as read_out
    from experiments.estimate import Plan
    from experiments.srm import Split
    from experiments.unit_files import Missing, UnitColumns, metric_totals, read_units

    columns = UnitColumns(arm, control, metrics, tuple(covariate or ()), cluster, (over,) if over else ())
    units = read_units(file, columns)
    split = Split(units.counts, designed or dict.fromkeys(units.arms, 1.0))
    plan = Plan(planned_n or len(units.lines), alpha)
    readout = read_out([split], metric_totals(units, columns, Missing(missing)), control, plan)
    document, lines = readout.as_json(), readout_lines(readout, split, plan)
    if out is not None:
        shown = LooksPicture(metrics[0], control, plan, over)
        drawn = _draw(units, columns, shown, Missing(missing), out if readout.srm.verdict == "ok" else None)
        document["over_time"], lines = drawn[0], f"{lines}\n{drawn[1]}"
    emit(document, as_json, lines)


def _check_order(over: str | None, out: Path | None) -> None:
    if over and out is None:
        raise typer.BadParameter(
            "It is the order of the pictures; --out says where to write them.", param_hint="--over"
        )


def _draw(
    units: "Units", columns: "UnitColumns", shown: LooksPicture, missing: "Missing", out: Path | None
) -> tuple[dict[str, Any], str]:
    """Return the effect as it became known, as JSON and as lines, drawn unless `out` is None."""
    from experiments.effect_looks import effect_looks

    looks = effect_looks(units, columns, shown.plan, missing, shown.over)
    written = draw_looks(looks, shown, out) if out else {}
    return looks_document(looks, shown, written), looks_lines(written, shown.over)


def srm(
    observed: Annotated[str, typer.Option(help="Units in each arm: 44000,45000.")],
    weights: Annotated[str, typer.Option(help="Designed weights of the arms, in the same order: .5,.5.")],
    as_json: JsonOption = False,
) -> None:
    """Check whether units came to the arms in the designed shares; if not, no result of the test can be trusted."""
    counts, shares = parse_numbers("--observed", observed), parse_numbers("--weights", weights)
    if len(counts) != len(shares):
        raise typer.BadParameter(f"{len(counts)} counts, but {len(shares)} weights.", param_hint="--weights")
    if any(count < 0 or count != int(count) for count in counts):
        raise typer.BadParameter("Units are whole numbers from 0.", param_hint="--observed")

    from experiments.srm import Split, check_splits

    names = [str(number) for number in range(1, len(counts) + 1)]
    split = Split(dict(zip(names, map(int, counts), strict=True)), dict(zip(names, shares, strict=True)))
    check = check_splits([split])
    emit(check.as_json(), as_json, split_lines(check, split))


def power(
    baseline: Annotated[float, typer.Option(help="The control's expected share or mean.")],
    mde: Annotated[
        float | None, typer.Option(help="Effect to find, in the metric's unit: .01 is one percentage point.")
    ] = None,
    kind: Annotated[Kind, typer.Option(help="What the metric is.")] = Kind.BINARY,
    sd: Annotated[float | None, typer.Option(help="Standard deviation of a unit's outcome, for --kind mean.")] = None,
    allocation: Annotated[str, typer.Option(help="The arms' shares, control first.")] = ".5,.5",
    power_: Annotated[float, typer.Option("--power", help="Chance of finding the effect where there is one.")] = 0.8,
    alpha: AlphaOption = 0.05,
    daily: Annotated[float | None, typer.Option(help="Units a day over all arms; gives days.")] = None,
    days: Annotated[
        int | None, typer.Option(min=1, help="Instead of --mde: what can be found in so many days?")
    ] = None,
    correlation: Annotated[float, typer.Option(help="Correlation of outcome and CUPED covariate.")] = 0.0,
    cluster_size: Annotated[float, typer.Option(min=1, help="Units in a cluster, such as an agent's customers.")] = 1,
    icc: Annotated[float, typer.Option(min=0, max=1, help="Correlation of the outcomes within a cluster.")] = 0.0,
    compliance: Annotated[float, typer.Option(help="Share of the treated who are really treated.")] = 1.0,
    as_json: JsonOption = False,
) -> None:
    """Say how many units find an effect, or with --days which effect is found by then."""
    _check_time(mde, daily, days)

    from experiments.comparison import MetricKind
    from experiments.power import PowerPlan

    plan = PowerPlan(
        kind=MetricKind(kind),
        baseline=baseline,
        standard_deviation=math.nan if sd is None else sd,
        allocation=parse_numbers("--allocation", allocation),
        alpha=alpha,
        power=power_,
        correlation=correlation,
        cluster_size=cluster_size,
        intracluster_correlation=icc,
        compliance=compliance,
    )
    _check_plan(plan, mde)
    document = _needed(plan, mde, daily) if mde is not None else _found(plan, (days or 0) * (daily or 0))
    emit(document, as_json, power_lines(document))


def _needed(plan: "PowerPlan", effect: float, daily: float | None) -> dict[str, Any]:
    from experiments.power import sample_size, sequential_inflation

    def needed(times: float) -> dict[str, Any]:
        size = sample_size(plan, effect, times)
        days = math.ceil(size.total / daily) if daily else None
        return {"n_per_arm": list(size.arms), "total": size.total, "days": days}

    inflation = sequential_inflation(plan)
    always_valid = {**needed(inflation), "inflation": inflation}
    return {**_described(plan), "mde": effect, **needed(1.0), "always_valid": always_valid}


def _found(plan: "PowerPlan", total: float) -> dict[str, Any]:
    from experiments.estimate import json_values
    from experiments.power import sequential_inflation, smallest_effect

    inflation = sequential_inflation(plan)
    fixed, always = (smallest_effect(plan, total, times) for times in (1.0, inflation))
    document: dict[str, Any] = json_values({
        **_described(plan),
        "total": total,
        "smallest_effect": fixed,
        "always_valid": {"smallest_effect": always, "inflation": inflation},
    })  # fmt: skip
    return document


def _described(plan: "PowerPlan") -> dict[str, Any]:
    return {
        "kind": str(plan.kind),
        "baseline": plan.baseline,
        "alpha": plan.alpha,
        "power": plan.power,
        "allocation": [share / sum(plan.allocation) for share in plan.allocation],
        "factor": plan.factor,
    }


def _check_time(mde: float | None, daily: float | None, days: int | None) -> None:
    if (mde is None) == (days is None) or (days is not None and daily is None):
        raise typer.BadParameter("Give --mde, or --days with --daily.", param_hint="--mde")
    if daily is not None and not 0 < daily < math.inf:
        raise typer.BadParameter("Give a number above 0.", param_hint="--daily")


def _check_plan(plan: "PowerPlan", mde: float | None) -> None:
    """Raise a usage error for what no test can have; comparisons are written so that not-a-numbers fail them."""
    check_share("--alpha", plan.alpha)
    check_share("--power", plan.power)
    is_share = plan.kind.value == Kind.BINARY.value
    wrong = {
        "--allocation": len(plan.allocation) < 2 or not all(share > 0 for share in plan.allocation),
        "--baseline": not (0 < plan.baseline < 1 if is_share else math.isfinite(plan.baseline)),
        "--sd": not is_share and not 0 < plan.standard_deviation < math.inf,
        "--mde": mde is not None
        and (not math.isfinite(mde) or mde == 0 or (is_share and not 0 < plan.baseline + mde < 1)),
        "--correlation": not -1 < plan.correlation < 1,
        "--compliance": not 0 < plan.compliance <= 1,
    }
    for option, is_wrong in wrong.items():
        if is_wrong:
            raise typer.BadParameter(_SAID[option], param_hint=option)


_SAID = {
    "--allocation": "Give a share above 0 for each of at least two arms, control first: .5,.5.",
    "--baseline": "A share lies between 0 and 1; for other metrics add --kind mean --sd S.",
    "--sd": "--kind mean needs the standard deviation of a unit's outcome, above 0.",
    "--mde": "The effect is not 0, and with it a share still lies between 0 and 1.",
    "--correlation": "A correlation lies between −1 and 1.",
    "--compliance": "A share above 0 and at most 1.",
}
