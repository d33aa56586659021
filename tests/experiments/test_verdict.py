"""The ship and stop rule: every branch, and what must hold whatever the figures."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.verdict import Code, Decision, Effect, Facts, Guardrail, Verdict, Wanted, decide


def complaints(low: float, high: float, margin: float = 0.01) -> Guardrail:
    """A guardrail on complaints, which should not rise."""
    return Guardrail(Effect("complaints", low, high, "decrease"), margin)


def facts(low: float = 0.01, high: float = 0.03, **changes: object) -> Facts:
    """A campaign in its second week, half way to its horizon, with a good primary effect and no more complaints."""
    base = Facts(
        srm_p=0.4,
        matured_units=5_000,
        planned_units=10_000,
        running_days=10,
        primary=Effect("acceptance", low, high, "increase"),
        guardrails=(complaints(-0.004, 0.004),),
        maturity_days=2,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def said(verdict: Verdict) -> tuple[Decision | None, list[Code]]:
    return verdict.decision, [reason.code for reason in verdict.reasons]


@pytest.mark.parametrize(
    ("given", "decision", "codes"),
    [
        (facts(), Decision.SHIP, [Code.PRIMARY_IMPROVED, Code.GUARDRAIL_HELD]),
        (facts(guardrails=()), Decision.SHIP, [Code.PRIMARY_IMPROVED]),
        (facts(srm_p=0.0009), None, [Code.SPLIT_CHECK_FAILED]),
        (facts(srm_p=math.nan), None, [Code.SPLIT_CHECK_FAILED]),
        (facts(srm_p=0.0009, low=-0.3, high=-0.1), None, [Code.SPLIT_CHECK_FAILED]),
        (facts(low=-0.03, high=-0.01), Decision.STOP_HARM, [Code.PRIMARY_HARMED]),
        (facts(low=-0.03, high=-0.01, running_days=1), Decision.STOP_HARM, [Code.PRIMARY_HARMED]),
        (facts(guardrails=(complaints(0.02, 0.03),)), Decision.STOP_HARM, [Code.GUARDRAIL_HARMED]),
        (facts(running_days=6), Decision.CONTINUE, [Code.LESS_THAN_A_WEEK]),
        (facts(running_days=8), Decision.CONTINUE, [Code.NOT_MATURED]),
        (facts(running_days=9), Decision.SHIP, [Code.PRIMARY_IMPROVED, Code.GUARDRAIL_HELD]),
        (facts(low=-0.01), Decision.CONTINUE, [Code.PRIMARY_UNDECIDED]),
        (facts(low=math.nan, high=math.nan), Decision.CONTINUE, [Code.PRIMARY_UNDECIDED]),
        (facts(guardrails=(complaints(0.0, 0.02),)), Decision.CONTINUE, [Code.GUARDRAIL_UNDECIDED]),
        (facts(low=-0.01, matured_units=10_000), Decision.STOP_FUTILE, [Code.HORIZON_REACHED, Code.PRIMARY_UNDECIDED]),
        (
            facts(guardrails=(complaints(0.0, 0.02),), matured_units=10_000),
            Decision.STOP_FUTILE,
            [Code.HORIZON_REACHED, Code.GUARDRAIL_UNDECIDED],
        ),
        (facts(low=-0.01, high=0.004, least_effect=0.005), Decision.STOP_FUTILE, [Code.BELOW_LEAST_EFFECT]),
        (facts(low=0.001, high=0.004, least_effect=0.005), Decision.SHIP, [Code.PRIMARY_IMPROVED, Code.GUARDRAIL_HELD]),
        (facts(matured_units=10_000), Decision.SHIP, [Code.PRIMARY_IMPROVED, Code.GUARDRAIL_HELD]),
    ],
)
def test_the_rule_says(given: Facts, decision: Decision | None, codes: list[Code]) -> None:
    assert said(decide(given)) == (decision, codes)


def test_a_reason_names_its_metric_and_the_figures_it_rests_on() -> None:
    _, guardrail = decide(facts()).reasons
    assert guardrail.metric == "complaints"
    assert dict(guardrail.figures) == {"low": -0.004, "high": 0.004, "margin": 0.01}


def test_an_effect_that_only_touches_zero_or_its_margin_is_undecided() -> None:
    assert said(decide(facts(low=0.0)))[1] == [Code.PRIMARY_UNDECIDED]
    assert complaints(-0.01, 0.01).state == complaints(0.01, 0.02).state == Code.GUARDRAIL_UNDECIDED


numbers = st.floats(-1, 1)


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    def effect(metric: str) -> Effect:
        low, high = sorted((draw(numbers), draw(numbers)))
        wanted: Wanted = draw(st.sampled_from(("increase", "decrease")))
        return Effect(metric, low, high, wanted)

    guardrails = tuple(
        Guardrail(effect(f"g{number}"), draw(st.floats(0, 0.5))) for number in range(draw(st.integers(0, 3)))
    )
    return Facts(
        srm_p=draw(st.floats(0, 1)),
        matured_units=draw(st.integers(0, 200)),
        planned_units=100,
        running_days=draw(st.integers(0, 30)),
        primary=effect("primary"),
        guardrails=guardrails,
        maturity_days=draw(st.integers(0, 14)),
        least_effect=draw(st.floats(0, 0.5)),
    )


def mirrored(effect: Effect) -> Effect:
    return Effect(effect.metric, -effect.high, -effect.low, "decrease" if effect.wanted == "increase" else "increase")


@given(any_facts())
def test_a_metric_counted_the_other_way_round_changes_nothing(some: Facts) -> None:
    guardrails = tuple(replace(guardrail, effect=mirrored(guardrail.effect)) for guardrail in some.guardrails)
    other = replace(some, primary=mirrored(some.primary), guardrails=guardrails)
    assert said(decide(other)) == said(decide(some))


@given(any_facts())
def test_it_ships_only_what_is_good_harmless_long_enough_and_fairly_split(some: Facts) -> None:
    low, _ = some.primary.gain
    may_ship = (
        some.srm_p >= 0.001
        and some.running_days >= 7 + some.maturity_days
        and low > 0
        and all(guardrail.effect.gain[0] > -guardrail.margin for guardrail in some.guardrails)
    )
    assert (decide(some).decision == Decision.SHIP) == may_ship


@given(any_facts())
def test_it_never_goes_on_for_ever_and_always_says_why(some: Facts) -> None:
    verdict = decide(replace(some, running_days=60, matured_units=100))
    assert verdict.decision != Decision.CONTINUE
    assert verdict.reasons
