"""What `nbo experiment` found, in words and tables."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from serving.cli.output import table

if TYPE_CHECKING:
    from experiments.analysis import MetricResult, Readout
    from experiments.estimate import Estimate, Plan
    from experiments.srm import Split, SplitCheck


def readout_lines(readout: "Readout", split: "Split", plan: "Plan") -> str:
    """Return the read-out; with a failed split check, the reasons alone."""
    lines = [split_lines(readout.srm, split)]
    if readout.srm.verdict == "failed":
        return "\n".join(
            [*lines, "", "No effect is shown: find out first why units are missing. (--json has them all.)"]
        )
    for result in readout.metrics:
        lines += ["", *_result_lines(result, plan)]
    if (count := sum(result.absolute is not None for result in readout.metrics)) > 1:
        lines += ["", f"{count} comparisons, each with its own chance of error {plan.alpha:g}. All together keep to it "
                  f"where a p-value is below {plan.alpha / count:.3g} (Bonferroni)."]  # fmt: skip
    return "\n".join(lines)


def split_lines(check: "SplitCheck", split: "Split") -> str:
    """Return what the split check found."""
    total, weight = sum(split.observed.values()), sum(split.weights.values())
    rows: list[tuple[Any, ...]] = []
    for name, designed in split.weights.items():
        count = split.observed.get(name, 0)
        rows.append((name, count, f"{_share(count, total)} %", f"{_share(designed, weight)} %"))
    if check.verdict == "failed":
        found = f"FAILED. {' '.join(check.reasons)}"
    else:
        found = f"as designed (p = {_p(check.p_value)} for one look, {_p(check.sequential_p_value)} at any time)."
    return f"Split: {found}\n" + _indented(table(("arm", "units", "share", "designed"), rows))


def power_lines(document: Mapping[str, Any]) -> str:
    """Return what `nbo experiment power` found."""
    always = document["always_valid"]
    if "mde" not in document:
        rows = [("one look at the end", _number(document["smallest_effect"])),
                ("looks at any time", _number(always["smallest_effect"]))]  # fmt: skip
        return f"With {document['total']:.0f} units over all arms:\n" + _indented(table(("", "smallest effect"), rows))
    lines: list[tuple[Any, ...]] = []
    for name, size in (("one look at the end", document), ("looks at any time", always)):
        days = "" if size["days"] is None else size["days"]
        lines.append((name, size["total"], ", ".join(map(str, size["n_per_arm"])), days))
    surely = (
        f"An effect of {document['mde']:g} on {document['baseline']:g} is found with {document['power']:.0%} chance:"
    )
    return surely + "\n" + _indented(table(("", "units", "by arm, control first", "days"), lines))


def _result_lines(result: "MetricResult", plan: "Plan") -> list[str]:
    title = f"{result.name} ({result.kind}): {result.arm} against {result.control}"
    notes = [f"  {note}" for note in result.notes]
    if result.absolute is None or result.bayes is None:
        return [title, *notes]
    named = {"absolute": result.absolute, "relative": result.relative}
    if result.cuped:
        named |= {"absolute, CUPED": result.cuped.absolute, "relative, CUPED": result.cuped.relative}
    level = f"{100 * (1 - plan.alpha):g} %"
    header = ("effect", "estimate", f"{level} at any time", "p", f"{level} for one look", "p")
    lines = [title, f"  {_verdict(result, result.absolute)}"]
    lines += [f"  {name}: mean {result.mean[name]:.6g} of {count} units" for name, count in result.n.items()]
    lines.append(_indented(table(header, [_row(name, effect) for name, effect in named.items() if effect])))
    if result.cuped:
        lines.append(f"  CUPED takes {result.cuped.variance_reduction:.2%} off the variance.")
    chance, risk = result.bayes.chance_to_win, result.bayes.risk
    lines.append(
        f"  Chance that {result.arm} is higher: {chance:.2%}. Expected loss of choosing it: {_tiny(risk)} a unit."
    )
    return lines + notes


def _verdict(result: "MetricResult", effect: "Estimate") -> str:
    if effect.always_valid.low > 0:
        return f"{result.arm} raises {result.name}: the interval that holds at any time lies above 0."
    if effect.always_valid.high < 0:
        return f"{result.arm} lowers {result.name}: the interval that holds at any time lies below 0."
    return f"Not decided: {result.arm} may raise or lower {result.name}, or do nothing."


def _row(name: str, effect: "Estimate") -> tuple[str, ...]:
    shown, sign = (_percent, " %") if name.startswith("relative") else (_number, "")
    cells = [name, shown(effect.estimate) + sign]
    for found in (effect.always_valid, effect.fixed):
        cells += [f"[{shown(found.low)}, {shown(found.high)}]{sign}", _p(found.p_value)]
    return tuple(cells)


def _number(value: float | None) -> str:
    return f"{value:+.5g}" if value is not None and math.isfinite(value) else "none"


def _percent(value: float) -> str:
    return f"{100 * value:+.2f}" if math.isfinite(value) else "none"


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else "<.0001"


def _tiny(value: float) -> str:
    return f"{value:.3g}" if value == 0 or value >= 1e-6 else "below 0.000001"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}" if whole else "0.00"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
