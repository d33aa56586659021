"""`nbo policy evaluate`: what another policy would have earned, from a log of decisions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.cli.output import JsonOption, emit, table

if TYPE_CHECKING:
    from recsys.evaluation.policy_value import PolicyValue


def evaluate(
    log: Annotated[Path, typer.Option(help="decision_id, action, reward, propensity[, q_<action> …] (.csv, .csv.gz).")],
    target: Annotated[Path, typer.Option(help="decision_id, action, probability (.csv, .csv.gz).")],
    clusters: Annotated[str | None, typer.Option(help="Column of the log whose rows are alike: customer_id.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Estimate what a policy would earn from decisions that another policy made, or say why the log cannot tell."""
    from recsys.evaluation.policy_files import read_policy_log
    from recsys.evaluation.policy_value import evaluate_policy

    value = evaluate_policy(read_policy_log(log, target, clusters))
    emit(value.as_json(), as_json, _lines(value, clusters))


def _lines(value: "PolicyValue", clusters: str | None) -> str:
    estimates = {"logged": value.logged, "IPS": value.ips, "SNIPS": value.snips}
    if robust := value.doubly_robust:
        estimates |= {
            "DR": robust.dr,
            "Switch-DR, biased": robust.switch.value,
            "shrunk DR, biased": robust.shrunk.value,
            "DR − logged": robust.lift,
        }
    header = ("reward a decision", "estimate", "standard error", "95 % interval")
    rows = [
        (name, f"{e.estimate:.6g}", f"{e.standard_error:.3g}", f"[{e.low:.6g}, {e.high:.6g}]")
        for name, e in estimates.items()
    ]
    counted = f"{value.clusters} values of {clusters}" if clusters else "every decision on its own"
    weight = value.mean_weight
    return "\n".join([
        "verdict: " + ("refused" if value.reasons else "ok"),
        *(f"  {reason}" for reason in value.reasons),
        "",
        table(header, rows),
        "",
        f"{value.decisions} decisions, standard errors by {counted}",
        f"effective sample size {value.effective_sample_size:.1f}, largest weight {value.max_weight:.4g}, "
        f"mean weight {weight.estimate:.4f} ± {weight.standard_error:.4f}",
    ])  # fmt: skip
