"""What `nbo experiment` found, in words and tables."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.cli.output import table

if TYPE_CHECKING:
    from experiments.analysis import MetricResult, Readout
    from experiments.estimate import Estimate, Plan
    from experiments.srm import Split, SplitCheck
    from experiments.targeting import Targeting

SIGNIFICANT = 0.05
_HIDDEN = "No effect is shown: find out first why units are missing. (--json has them all.)"


def readout_lines(readout: "Readout", split: "Split", plan: "Plan") -> str:
    """Return the read-out; with a failed split check, the reasons alone."""
    lines = [split_lines(readout.srm, split)]
    if readout.srm.verdict == "failed":
        return "\n".join([*lines, "", _HIDDEN])
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


def looks_lines(written: Mapping[str, Sequence[Path]], over: str | None) -> str:
    """Return where the pictures of the effect over time are, and which order it has."""
    if not written:
        return "\nNo picture is drawn: the split check failed, or no arm has an effect yet."
    order = f"in the order of {over}" if over else "in the order of the rows (--over names a column with their time)"
    paths = [f"  {path}" for paths in written.values() for path in paths]
    return "\n".join(["", f"The first metric's effect as it became known, units {order}:", *paths])


def targeting_lines(found: "Targeting", segment: str | None, pictures: Sequence[Path]) -> str:
    """Return whom the treatment moves; with a failed split check, the reasons alone."""
    lines = [split_lines(found.srm, found.split)]
    if found.srm.verdict == "failed":
        return "\n".join([*lines, "", _HIDDEN])
    name, kind = found.metric.name, found.metric.kind
    lines += ["", f"{name} ({kind}): {found.treatment} against {found.control}", *_overall_lines(found)]
    if found.segments and segment:
        lines += ["", *_segment_lines(found, segment)]
    lines += ["", *_ranking_lines(found)]
    if pictures:
        lines += ["", "What treating by that rank brings:", *(f"  {path}" for path in pictures)]
    return "\n".join(lines)


def _overall_lines(found: "Targeting") -> list[str]:
    effect, rows = found.effect, []
    rows.append(("doubly robust", *_between(effect.effect, effect.low, effect.high)))
    if plain := found.plain.absolute:
        rows.append(("plain difference", *_between(plain.estimate, plain.fixed.low, plain.fixed.high)))
    lines = [f"  {_moved(found)}", _indented(table(("effect", "estimate", "95 % for one look"), rows))]
    if found.varies:
        lines.append("  Chances of treatment vary, so the plain difference also has who was treated in it.")
    return [*lines, *(f"  {note}" for note in found.plain.notes)]


def _moved(found: "Targeting") -> str:
    name, arm = found.metric.name, found.treatment
    if found.effect.low > 0 or found.effect.high < 0:
        way, side = ("raises", "above") if found.effect.low > 0 else ("lowers", "below")
        return f"{arm} {way} {name}: the doubly robust interval lies {side} 0."
    return f"Not decided: {arm} may raise or lower {name}, or do nothing."


def _segment_lines(found: "Targeting", segment: str) -> list[str]:
    rows = [(row.segment, row.units, *_between(row.effect, row.low, row.high)) for row in found.segments]
    said = "have effects that differ" if found.heterogeneity_p < SIGNIFICANT else "may all have the same effect"
    return [
        f"By {segment} (exploratory: it suggests what to test next, it proves nothing)",
        _indented(table((segment, "units", "effect", "95 %, each on its own"), rows)),
        f"  The segments {said} (p = {_p(found.heterogeneity_p)}).",
    ]


def _ranking_lines(found: "Targeting") -> list[str]:
    rows: list[tuple[Any, ...]] = []
    for share, at in found.qini.uplift_at.items():
        rows.append((f"top {100 * share:g} %", *_between(at.mean, at.low, at.high)))
    worth = found.qini.coefficient
    if worth.low > 0:
        said = "Treating by this rank brings more than treating as many at random."
    elif worth.high < 0:
        said = "Treating by this rank brings less than treating as many at random: do not use it."
    else:
        said = "Not decided whether treating by this rank brings more than treating as many at random."
    coefficient, interval = _between(worth.mean, worth.low, worth.high)
    return [
        f"Whom to treat first, by uplift predicted from the features ({found.ranked} units ranked; the others taught "
        "the first ranking)",
        f"  {said}",
        _indented(table(("treated", "effect on them", "95 %"), rows)),
        f"  Qini coefficient: {coefficient} {interval}, the area between the curve and treating at random.",
    ]


def _between(estimate: float, low: float, high: float) -> tuple[str, str]:
    return _number(estimate), f"[{_number(low)}, {_number(high)}]"


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
