"""Every error this product raises on purpose, in one tree; `serving.errors` maps each to an answer.

NboError
├── NotFound        CustomerNotFound OfferNotFound ContactNotFound DecisionNotFound ModelVersionNotFound
│                   CampaignNotFound FeatureViewNotFound AccountNotFound
├── InvalidInput    RuleError OfferInvalid CatalogueInvalid PolicyInvalid ImportInvalid ChangeInvalid
│                   CampaignInvalid AnalysisInvalid SettingsInvalid ChannelUnknown FeaturesInvalid
├── Conflict        OfferNotAllowed OfferChanged ContactClosed ContactTaken IdempotencyKeyReused NotPromotable
│                   NotReplayable NotEnoughMemory CampaignFixed CampaignStatusRefused CampaignsOverlap NeedsSecondPerson
│                   CampaignNotLaunched SplitCheckFailed AccountExists AlreadyAnswered DisclosureNotRead
├── NotSignedIn
├── Refused         NotPermitted EmbedTokenRefused
└── Unavailable     StoreUnavailable FeaturesUnavailable RegistryUnavailable BundleRefused NoChampion WhatIfRunning
"""

from collections.abc import Mapping, Sequence


class NboError(Exception):
    """Root of the tree; carries facts as attributes and says what to do next in its message."""


class NotFound(NboError):
    """Something was named that is not there."""


class InvalidInput(NboError):
    """What was given cannot be used as it is; nothing was saved."""


class Conflict(NboError):
    """The request is well formed, but the present state does not allow it."""


class Unavailable(NboError):
    """A part the request needs cannot be reached or used now."""

    retry_after_seconds = 1


class NotSignedIn(NboError):
    """Nobody known asks: no session, one that has ended, or a wrong name or password."""

    def __init__(self) -> None:
        super().__init__("Sign in first: name and password are not known, or the session has ended.")


class Refused(NboError):
    """Whoever asks may not have or do this."""


class NotPermitted(Refused):
    """Somebody asks for what none of their roles may do."""

    def __init__(self) -> None:
        super().__init__("Your role does not allow this; sign in as somebody whose role does.")


class CustomerNotFound(NotFound):
    """`known` are ids of customers who are known and whose ids look like this one."""

    def __init__(self, customer_id: str, known: Sequence[str] = ()) -> None:
        self.customer_id, self.known = customer_id, tuple(known)
        near = f" Known, and like it: {', '.join(known)}." if known else ""
        super().__init__(f"No such customer; import it first, or open a contact to serve it as a prospect.{near}")


class OfferNotFound(NotFound):
    def __init__(self, offer_id: str) -> None:
        self.offer_id = offer_id
        super().__init__("No such offer in the catalogue; see GET /v1/offers.")


class ContactNotFound(NotFound):
    def __init__(self, contact_id: str) -> None:
        self.contact_id = contact_id
        super().__init__("No such contact; open one with POST /v1/contacts.")


class DecisionNotFound(NotFound):
    def __init__(self, decision_id: str) -> None:
        self.decision_id = decision_id
        super().__init__("No such decision.")


class ModelVersionNotFound(NotFound):
    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(f"No model version {version}; see `nbo models list`.")


class CampaignNotFound(NotFound):
    def __init__(self, campaign_id: str) -> None:
        self.campaign_id = campaign_id
        super().__init__("No such campaign; see GET /v1/campaigns.")


class FeatureViewNotFound(NotFound):
    def __init__(self, view: str) -> None:
        self.view = view
        super().__init__(f"No view {view} of the bank's own is applied that takes pushes; see docs/features.md.")


class AccountNotFound(NotFound):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is no account {name}; see `nbo accounts list`.")


class RuleError(InvalidInput):
    """A rule that cannot be used, with the place: line and column count from 1."""

    def __init__(self, reason: str, line: int = 1, column: int = 1) -> None:
        self.reason, self.line, self.column = reason, line, column
        super().__init__(f"line {line}, column {column}: {reason}")


class OfferInvalid(InvalidInput):
    """One offer that cannot be saved: which field, why, and for a rule where in it."""

    def __init__(self, offer_id: str, field: str, reason: str, line: int | None = None, column: int | None = None):
        self.offer_id, self.field, self.reason, self.line, self.column = offer_id, field, reason, line, column
        place = f" (line {line}, column {column})" if line is not None else ""
        super().__init__(f"offer {offer_id}, {field}{place}: {reason}")


class CatalogueInvalid(InvalidInput):
    """A set of offers of which some cannot be saved; none was."""

    def __init__(self, problems: Sequence[OfferInvalid]) -> None:
        self.problems = tuple(problems)
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}. Nothing was saved.")


class PolicyInvalid(InvalidInput):
    """A decision policy that cannot be used: which of its numbers, and why."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"policy, {field}: {reason}. Nothing was saved.")


class ImportInvalid(InvalidInput):
    """An import that cannot be read at all."""


class FeaturesInvalid(InvalidInput):
    """Feature views of the bank's own that cannot be used; one of `problems` says what is wrong with one thing."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


class ChangeInvalid(InvalidInput):
    """A change that cannot be tried in a what-if: where in the file, and why."""

    def __init__(self, place: str, reason: str) -> None:
        self.place, self.reason = place, reason
        super().__init__(f"{place}: {reason}")


class CampaignInvalid(InvalidInput):
    """A campaign's plan that cannot be used: every problem as (field, reason); a field in a list counts from 1."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = tuple(problems)
        field, reason = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(f"campaign, {field}: {reason}{more}. Nothing was saved.")


class SettingsInvalid(InvalidInput):
    """A setting or a combination of settings that cannot be served."""


class ChannelUnknown(InvalidInput):
    """A word for a channel that the vocabulary does not have; `known` are the names it has."""

    def __init__(self, known: Sequence[str], nearest: str | None) -> None:
        self.known, self.nearest = tuple(known), nearest
        hint = f"The nearest is {nearest}. " if nearest else ""
        super().__init__(
            f"This is no channel that is known. {hint}There are {', '.join(known)}; "
            "give other words a meaning with `nbo policy vocabulary` or on the vocabulary's page."
        )


class AnalysisInvalid(InvalidInput):
    """Figures of an experiment that cannot be analysed: which, and why."""


class OfferNotAllowed(Conflict):
    """An outcome names an offer that permission no longer allows; `code` is the held-back code."""

    def __init__(self, offer_id: str, code: str) -> None:
        self.offer_id, self.code = offer_id, code
        super().__init__(f"The offer is no longer allowed for this customer: {code}. Ask for a new decision.")


class AlreadyAnswered(Conflict):
    """An offer of a decision was answered before; `first` is the receipt that was given then."""

    def __init__(self, first: Mapping[str, object]) -> None:
        self.first = dict(first)
        super().__init__("This offer of this decision was answered before, and an answer is given once.")


class DisclosureNotRead(Conflict):
    """An acceptance of an offer whose must-say text was not read out."""

    def __init__(self, offer_id: str) -> None:
        self.offer_id = offer_id
        super().__init__("Read the must-say text out first, then send the acceptance with disclosure_read true.")


class OfferChanged(Conflict):
    """An offer was saved by somebody else since the version of the catalogue that a change of it is based on."""

    def __init__(self, offer_id: str) -> None:
        self.offer_id = offer_id
        super().__init__("The offer was changed meanwhile; look at the catalogue in service and save again.")


class ContactClosed(Conflict):
    def __init__(self, contact_id: str) -> None:
        self.contact_id = contact_id
        super().__init__("The contact is closed; open a new one that continues it.")


class ContactTaken(Conflict):
    def __init__(self) -> None:
        super().__init__("Another agent has picked up this contact.")


class IdempotencyKeyReused(Conflict):
    """The same idempotency key came with another body; answered 422, as the contract says."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key was used with another body; use a new key for a new request.")


class NotPromotable(Conflict):
    """A model version that a promotion gate refuses; the message names gate and figure."""


class NotEnoughMemory(Conflict):
    """A model of `family` was not fitted, because it needs more memory than it may have; both in bytes."""

    def __init__(self, family: str, needs_bytes: int, memory_bytes: int) -> None:
        self.family, self.needs_bytes, self.memory_bytes = family, needs_bytes, memory_bytes
        super().__init__(
            f"{family} was not started: it needs about {needs_bytes / 2**30:.2f} GiB of memory and may have "
            f"{memory_bytes / 2**30:.2f} GiB; see --memory."
        )

    def described(self) -> dict[str, int]:
        """Return both figures as JSON values."""
        return {"needs_bytes": self.needs_bytes, "memory_bytes": self.memory_bytes}


class NotReplayable(Conflict):
    """A decision cannot be made again: the message names what it was made with and is gone."""


class CampaignFixed(Conflict):
    """A change to the plan of a campaign that was approved: it was registered before launch."""

    def __init__(self, status: str) -> None:
        self.status = status
        can = (
            "only its weights can be changed, or pause or stop it"
            if status in ("running", "paused")
            else "draft another"
        )
        super().__init__(f"The plan is fixed once the campaign is approved, and this one is {status}: {can}.")


class CampaignStatusRefused(Conflict):
    """A campaign cannot go from the status it has to the one that was asked for."""

    def __init__(self, status: str, wanted: str, allowed: Sequence[str]) -> None:
        self.status, self.wanted = status, wanted
        way = f"it can become {', '.join(allowed)}" if allowed else "nothing follows"
        super().__init__(f"A campaign that is {status} cannot become {wanted}; {way}.")


class CampaignsOverlap(Conflict):
    """A campaign would share slots of its layer with another one that is in force."""

    def __init__(self, campaign_id: str, layer: str) -> None:
        self.campaign_id, self.layer = campaign_id, layer
        super().__init__(f"Campaign {campaign_id} has some of the same slots of the layer; choose others or stop it.")


class AccountExists(Conflict):
    def __init__(self, name: str) -> None:
        super().__init__(f"There is an account {name} already; `nbo accounts remove {name}` first.")


class NeedsSecondPerson(Conflict):
    """The author of a campaign cannot launch it."""

    def __init__(self) -> None:
        super().__init__("A campaign is approved and started by somebody other than its author.")


class CampaignNotLaunched(Conflict):
    """Results were asked for of a campaign that has not begun."""

    def __init__(self, campaign_id: str) -> None:
        self.campaign_id = campaign_id
        super().__init__("The campaign has not been started, so there is nothing to read out; see its preview.")


class SplitCheckFailed(Conflict):
    """A campaign's units did not come to its arms as designed, so its effects are not shown."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(f"The split is not as designed, so no effect is shown: {' '.join(self.reasons)}")


class EmbedTokenRefused(Refused):
    """A frame's token was not signed by this service, or its time is over."""

    def __init__(self) -> None:
        super().__init__("This token opens nothing (any more); ask for a new one with POST …/embed-token.")


class StoreUnavailable(Unavailable):
    """The event log cannot be reached."""


class FeaturesUnavailable(Unavailable):
    """The online feature store cannot be read within its deadline."""


class RegistryUnavailable(Unavailable):
    """The model registry does not answer in time, or not as a registry does."""

    def __init__(self) -> None:
        super().__init__("The model registry cannot be reached; decisions go on. Run `nbo doctor`.")


class BundleRefused(Unavailable):
    """A model bundle failed a check before use; the one in service stays."""


class NoChampion(Unavailable):
    """No model version carries the alias `champion`."""


class WhatIfRunning(Unavailable):
    """Another what-if runs on this worker, which has one at a time."""

    retry_after_seconds = 10

    def __init__(self) -> None:
        super().__init__("Another what-if is running; try again in some seconds.")
