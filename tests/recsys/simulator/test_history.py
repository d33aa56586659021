"""The simulated past is believable, and taste decides it."""

import numpy as np
from numpy.typing import NDArray

from recsys.domain.interaction import InteractionKind
from recsys.simulator.arrivals import APP
from recsys.simulator.offers import reasons
from recsys.simulator.purchases import KINDS, Events
from tests.recsys.simulator.worlds import NOW, a_world, its_history

ACCEPTED = InteractionKind.ACCEPTED
DECLINED = InteractionKind.DECLINED


def _of(kind: InteractionKind, services: bool = False) -> Events:
    events = its_history().events
    is_service = a_world().offers.is_service[events.offer]
    return events.at_rows((events.kind == KINDS.index(kind)) & (is_service == services))


def _tastes(events: Events) -> NDArray[np.float32]:
    return a_world().taste[events.person, events.offer]


def test_what_people_take_suits_them_better_than_what_they_decline() -> None:
    assert _tastes(_of(ACCEPTED)).mean() > _tastes(_of(DECLINED)).mean() + 0.4


def test_agents_hear_yes_to_about_one_pitch_in_six() -> None:
    accepted, declined = (_of(kind) for kind in (ACCEPTED, DECLINED))
    yes, no = ((events.channel != APP).sum() for events in (accepted, declined))
    assert 0.1 < yes / (yes + no) < 0.25


def test_the_happier_the_customer_the_likelier_the_yes() -> None:
    contacts = its_history().contacts
    when = zip(contacts.person.tolist(), contacts.at.tolist(), strict=True)
    mood = dict(zip(when, contacts.sentiment.tolist(), strict=True))

    def mean_mood(events: Events) -> float:
        pitched = zip(events.person.tolist(), events.at.tolist(), strict=True)
        return float(np.mean([mood[key] for key in pitched if key in mood]))

    assert mean_mood(_of(ACCEPTED)) > mean_mood(_of(DECLINED)) + 0.02


def test_nobody_takes_what_the_rules_or_the_risk_level_forbid() -> None:
    for kind in (InteractionKind.HOLDING, ACCEPTED):
        events = _of(kind)
        assert a_world().eligible[events.person, events.offer].all()


def test_nobody_takes_twice_what_can_be_held_only_once() -> None:
    events = its_history().events
    takes = np.isin(events.kind, [KINDS.index(InteractionKind.HOLDING), KINDS.index(ACCEPTED)])
    once = events.at_rows(takes & ~a_world().offers.is_repeatable[events.offer])
    pairs = once.person * len(a_world().offers.ids) + once.offer
    assert len(np.unique(pairs)) == len(pairs)


def test_no_agent_pitches_to_those_who_refused_marketing_or_are_sheltered() -> None:
    population, declined = a_world().population, _of(DECLINED)
    may_sell = (population.consent_marketing != 0) & ~population.vulnerable & ~population.do_not_contact
    assert (may_sell & ~population.arrears)[declined.person].all()


def test_everything_happened_before_now_and_in_order() -> None:
    history = its_history()
    for moments in (history.events.at, history.contacts.at):
        assert (np.diff(moments) >= 0).all()
        assert moments.max() < NOW.timestamp()


def test_a_complaint_sounds_worse_than_a_question_about_travel() -> None:
    names = [reason.name for reason in reasons()]
    contacts = its_history().contacts
    moods = {name: contacts.sentiment[contacts.reason == names.index(name)].mean() for name in ("complaint", "travel")}
    assert moods["complaint"] < -0.5 < 0 < moods["travel"]


def test_what_others_with_the_same_past_took_predicts_more_than_popularity() -> None:
    """A linear autoencoder (Steck 2019) on the past ranks the last weeks' acceptances above plain popularity."""
    events, world = its_history().events, a_world()
    size = len(world.offers.ids)
    cut = np.quantile(_of(ACCEPTED).at, 0.85)
    evidence = np.array([1.0, 1.0, 0.0, 0.5, 0.2, 0.0])[events.kind]  # in the order of KINDS
    is_past = (events.at < cut) & ~world.offers.is_service[events.offer]
    seen = np.zeros((len(world.taste), size))
    np.add.at(seen, (events.person[is_past], events.offer[is_past]), evidence[is_past])
    seen = np.minimum(seen, 1.5)
    inverse = np.linalg.inv(seen.T @ seen + 150 * np.eye(size))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    taken = _of(ACCEPTED)
    popularity = np.bincount(taken.offer[taken.at < cut], minlength=size) + np.linspace(0, 0.1, size)
    future = taken.at_rows(taken.at >= cut)
    assert _hits(seen @ weights, future) > 1.1 * _hits(np.tile(popularity, (len(seen), 1)), future)


def _hits(scores: NDArray[np.float64], taken: Events) -> float:
    """Return the share of acceptances within the top five of what the customer may have."""
    allowed = np.where(a_world().eligible, scores, -np.inf)[taken.person]
    own = allowed[np.arange(len(allowed)), taken.offer]
    return float(np.mean((allowed >= own[:, None]).sum(axis=1) <= 5))
