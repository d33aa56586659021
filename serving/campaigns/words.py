"""The verdict on a campaign, its reasons and the words of its picture, in English and Chinese."""

from collections.abc import Mapping

from experiments.comparison import MetricKind
from experiments.metrics import METRICS
from experiments.plots import EffectWords
from experiments.verdict import Code, Decision, Reason, Verdict

_DECISIONS: Mapping[Decision | None, Mapping[str, str]] = {
    Decision.SHIP: {
        "en": "Ship it: it works, and nothing else got worse.",
        "zh": "可以推广：有效，且其他指标没有变差。",
    },
    Decision.STOP_HARM: {"en": "Stop it: it does harm.", "zh": "请停止：它造成了损害。"},
    Decision.STOP_FUTILE: {
        "en": "Stop it: an effect worth having will not be found.",
        "zh": "请停止：不会再发现值得的效果。",
    },
    Decision.CONTINUE: {"en": "Let it run: it is too early to tell.", "zh": "请继续：现在下结论还太早。"},
    None: {
        "en": "No verdict: the split is not as designed, so no figure can be trusted.",
        "zh": "没有结论：分组与设计不符，任何数字都不可信。",
    },
}
_REASONS: Mapping[Code, Mapping[str, str]] = {
    Code.SPLIT_CHECK_FAILED: {
        "en": "The split check failed (p = {p:.2g}, below {alpha:g}).",
        "zh": "分组检验未通过（p = {p:.2g}，低于 {alpha:g}）。",
    },
    Code.PRIMARY_HARMED: {
        "en": "{metric} got worse: between {low} and {high}.",
        "zh": "{metric}变差：变化在 {low} 到 {high} 之间。",
    },
    Code.GUARDRAIL_HARMED: {
        "en": "The guardrail {metric} got worse by more than {margin}: between {low} and {high}.",
        "zh": "护栏指标{metric}变差超过 {margin}：变化在 {low} 到 {high} 之间。",
    },
    Code.LESS_THAN_A_WEEK: {
        "en": "It has run for {running_days:.0f} of at least {least_days:.0f} days.",
        "zh": "已运行 {running_days:.0f} 天，至少需要 {least_days:.0f} 天。",
    },
    Code.NOT_MATURED: {
        "en": "A week's customers have not had their full time yet: day {running_days:.0f} of {least_days:.0f}.",
        "zh": "一周的客户尚未走完观察期：第 {running_days:.0f} 天，共 {least_days:.0f} 天。",
    },
    Code.PRIMARY_IMPROVED: {
        "en": "{metric} improved: between {low} and {high}.",
        "zh": "{metric}改善：变化在 {low} 到 {high} 之间。",
    },
    Code.PRIMARY_UNDECIDED: {
        "en": "{metric} may have gone either way: between {low} and {high}.",
        "zh": "{metric}好坏未定：变化在 {low} 到 {high} 之间。",
    },
    Code.BELOW_LEAST_EFFECT: {
        "en": "{metric} gains less than the {least_effect} worth having: between {low} and {high}.",
        "zh": "{metric}的提升小于值得的 {least_effect}：变化在 {low} 到 {high} 之间。",
    },
    Code.GUARDRAIL_UNDECIDED: {
        "en": "It is not shown yet that the guardrail {metric} stays within {margin}: between {low} and {high}.",
        "zh": "尚不能证明护栏指标{metric}保持在 {margin} 以内：变化在 {low} 到 {high} 之间。",
    },
    Code.GUARDRAIL_HELD: {
        "en": "The guardrail {metric} stays within {margin}: between {low} and {high}.",
        "zh": "护栏指标{metric}保持在 {margin} 以内：变化在 {low} 到 {high} 之间。",
    },
    Code.HORIZON_REACHED: {
        "en": "All {planned_units:,.0f} planned customers are in ({matured_units:,.0f}).",
        "zh": "计划的 {planned_units:,.0f} 位客户已全部纳入（{matured_units:,.0f}）。",
    },
}
METRIC_NAMES: Mapping[str, Mapping[str, str]] = {
    "accepted": {"en": "Customers who accept an offer of the campaign", "zh": "接受活动方案的客户"},
    "sold": {"en": "Customers who buy", "zh": "有购买的客户"},
    "sales": {"en": "Sales a customer", "zh": "每位客户的销售数"},
    "acceptances": {"en": "Acceptances a customer", "zh": "每位客户的接受数"},
    "value": {"en": "Net value a customer", "zh": "每位客户的净价值"},
    "acceptance_rate": {"en": "Acceptances an answer", "zh": "接受率"},
    "declined": {"en": "Customers who decline", "zh": "有拒绝的客户"},
    "csat": {"en": "Satisfaction", "zh": "满意度"},
    "complained": {"en": "Customers who complain", "zh": "有投诉的客户"},
    "handling_seconds": {"en": "Seconds a contact", "zh": "每次联系的秒数"},
    "contacts": {"en": "Contacts a customer", "zh": "每位客户的联系次数"},
}


POINTS: Mapping[str, str] = {"en": " points", "zh": " 个百分点"}


def say_decision(verdict: Verdict, language: str) -> str:
    """Return what to do, in one sentence."""
    return _DECISIONS[verdict.decision][language]


def say_reason(reason: Reason, language: str) -> str:
    """Return a reason as a sentence with its figures."""
    if reason.metric is None:
        return _REASONS[reason.code][language].format(**dict(reason.figures))
    figures = {name: _figure(name, value, reason.metric, language) for name, value in reason.figures}
    return _REASONS[reason.code][language].format(metric=METRIC_NAMES[reason.metric][language], **figures)


def _figure(name: str, value: float, metric: str, language: str) -> str:
    """Return a change of a metric in its unit, with a sign where it is a bound of an interval."""
    is_bound = name in ("low", "high")
    text = f"{value * 100 if is_share(metric) else value:{'+' if is_bound else ''}.3g}"
    return f"{text}{POINTS[language]}" if is_share(metric) and name != "low" else text


def is_share(metric: str) -> bool:
    """Return whether a metric is a share of 1, whose changes are said in percentage points."""
    return METRICS[metric].kind is MetricKind.BINARY or metric == "acceptance_rate"


def picture_words(name: str, arm: str, metric: str, language: str) -> EffectWords:
    """Return the words of the picture of an arm's effect over time."""
    if language == "zh":
        return EffectWords(
            title=f"{name}：{arm} 对比对照组",
            at="观察期已满的客户数",
            effect=f"{METRIC_NAMES[metric]['zh']}的变化",
            estimate="估计值",
            always_valid="随时可看的区间",
            fixed="固定样本区间：只在计划终点有效",
            horizon="计划终点",
        )
    return EffectWords(
        title=f"{name}: {arm} against control",
        at="Customers whose time is up",
        effect=f"Change in: {METRIC_NAMES[metric]['en'].lower()}",
        estimate="Estimate",
        always_valid="Interval that holds at every look",
        fixed="Fixed interval: holds at the planned end alone",
        horizon="planned end",
    )
