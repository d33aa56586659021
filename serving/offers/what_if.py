"""A what-if for people who wait for it: a change tried on a sample of the customers, one at a time on a worker."""

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from recsys.domain.channel import PHONE
from recsys.domain.errors import WhatIfRunning
from recsys.engine import DECLARED
from serving.contacts.schemas import ChannelWord
from serving.evidence import logged_evidence
from serving.heavy_imports import ONE_AT_A_TIME
from serving.in_force import CatalogueInService, PolicyInService, vocabulary
from serving.offers.sampling import change_interval, share_interval
from serving.offers.what_if_schemas import (
    ChangedOfferBody,
    GroupBody,
    IntervalBody,
    SampleBody,
    ScenarioBody,
    SharesBody,
    WhatIfBody,
)
from serving.wiring import Services
from serving.words import channel_named

if TYPE_CHECKING:
    from recsys.ranking.evidence import OfferEvidence
    from recsys.ranking.people import Occasion
    from recsys.storage.event_log import EventLog
    from recsys.what_if.audience import Audience
    from recsys.what_if.reading import Progress, Sample
    from recsys.what_if.rulebook import Rulebook

MOST_CUSTOMERS = 20_000
PLACE = "change"
"""What errors call the document."""


class WhatIfRequest(BaseModel):
    """How many customers to look at, drawn by `seed`, and the channel that the contacts are on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    customers: Annotated[int, Field(ge=1, le=MOST_CUSTOMERS)] = MOST_CUSTOMERS
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    channel: ChannelWord = PHONE


class WhatIf:
    """Runs one what-if at a time: a second one would only take the processors from the decisions."""

    def __init__(self, services: Services, turn: threading.Lock) -> None:
        self._services, self._turn = services, turn

    def run(self, change: Mapping[str, Any], asked: WhatIfRequest) -> WhatIfBody:
        """Return what `change`, a document as of `nbo simulate`, would do.

        Raises `ChangeInvalid` for a document that cannot be tried and `WhatIfRunning` while there is another.
        """
        if not self._turn.acquire(blocking=False):
            raise WhatIfRunning
        try:
            return _run(self._services, change, asked)
        finally:
            self._turn.release()


def gather(
    log: "EventLog",
    documents: Sequence[tuple[str, object]],
    occasion: "Occasion",
    sample: "Sample",
    progress: "Progress",
) -> tuple[list["Rulebook"], "Audience", "OfferEvidence"]:
    """Return today's rulebook with those of the named documents' scenarios, whom to decide for, and the evidence.

    Raises `ChangeInvalid`.
    """
    from recsys.what_if.changes import check_rulebooks, parse_changes
    from recsys.what_if.reading import read_audience
    from recsys.what_if.rulebook import TODAY, Rulebook

    today = Rulebook(TODAY, CatalogueInService().current(log), PolicyInService().current(log))
    known = vocabulary(log)
    scenarios = [
        one for name, document in documents for one in parse_changes(document, name, today, known, log.calendar)
    ]
    rulebooks = [today, *scenarios]
    check_rulebooks(rulebooks)
    offer_ids = sorted({offer_id for one in rulebooks for offer_id in one.catalogue.table.offer_ids})
    evidence = logged_evidence(log, offer_ids, occasion.at)
    return rulebooks, read_audience(log, rulebooks, occasion, sample, progress), evidence


def _run(services: Services, change: Mapping[str, Any], asked: WhatIfRequest) -> WhatIfBody:
    import numpy as np

    with ONE_AT_A_TIME:
        import duckdb  # noqa: F401
        import pyarrow as pa  # noqa: F401

        from recsys.ranking.people import Occasion
        from recsys.what_if.comparison import compare
        from recsys.what_if.reading import Sample
        from recsys.what_if.relevance import Models
        from recsys.what_if.run import run

    sample = Sample(asked.customers, np.random.default_rng(asked.seed))
    with services.database.read() as log:
        words = services.policy.current(log).words
        occasion = Occasion(services.clock(), channel_named(asked.channel, words))
        rulebooks, audience, evidence = gather(log, [(PLACE, change)], occasion, sample, _unwatched)
        everybody = log.customers_count()
    pair = services.champion.pair
    models = Models(pair.relevance, pair.propensity, evidence)
    found = compare(audience, run(audience, rulebooks, models, _unwatched))
    drawn = SampleBody(
        customers=len(audience),
        of=everybody,
        share=len(audience) / everybody if everybody else 1.0,
        seed=asked.seed,
    )
    return WhatIfBody(
        sample=drawn,
        **{name: found[name] for name in ("channel", "at", "assumes")},
        **{name: found["today"][name] for name in ("catalogue_version", "policy_version")},
        model_version=models.relevance.version if models.relevance else "none",
        propensity_version=models.propensity.version if models.propensity else DECLARED,
        scenarios=[_scenario(one, drawn) for one in found["scenarios"]],
    )


def _unwatched(_doing: str, _done: int, _of: int | None) -> None:
    """Take a report of progress that nobody looks at."""


def _scenario(found: Mapping[str, Any], drawn: SampleBody) -> ScenarioBody:
    return ScenarioBody(
        **{name: found[name] for name in ("name", "catalogue_version", "policy_version", "held_back")},
        everybody=_group(found["everybody"], drawn),
        segments={name: _group(one, drawn) for name, one in found["segments"].items()},
        offers=[_offer(one, drawn) for one in found["offers"]],
    )


def _group(found: Mapping[str, Any], drawn: SampleBody) -> GroupBody:
    today, scenario, errors = found["today"], found["scenario"], found["standard_errors"]
    count = found["customers"]
    return GroupBody(
        customers=count,
        today=today,
        scenario=scenario,
        change={name: change_interval(scenario[name] - today[name], errors[name], drawn.share) for name in errors},
        shares=SharesBody(
            **{name: share_interval(found[name], count, drawn.share) for name in SharesBody.model_fields}
        ),
    )


def _offer(found: Mapping[str, Any], drawn: SampleBody) -> ChangedOfferBody:
    def side(name: str) -> dict[str, Any]:
        entry = found[name]
        return {**entry, "shown_share": _share(entry["shown"], drawn)}

    return ChangedOfferBody(**{**found, "today": side("today"), "scenario": side("scenario")})


def _share(count: int, drawn: SampleBody) -> IntervalBody:
    return share_interval(count / drawn.customers if drawn.customers else 0.0, drawn.customers, drawn.share)
