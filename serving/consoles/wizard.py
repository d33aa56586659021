"""The wizard of one draft: reads each step's form from what was posted, saves it, and gathers what the step shows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.campaign import plan_to_dict
from experiments.metrics import METRICS
from experiments.plan_document import parse_plan
from recsys.catalogue import Catalogue
from recsys.domain.errors import CampaignInvalid
from recsys.domain.role import Role
from recsys.storage.campaign_log import SavedCampaign
from serving.campaigns.preview import preview
from serving.campaigns.schemas import PreviewBody
from serving.campaigns.service import CampaignService
from serving.consoles import formats, metric_words
from serving.consoles import plan_form as forms
from serving.consoles.arms_form import arms_of_form, arms_of_plan, edited, plan_arms, share_total
from serving.consoles.checklist import checks
from serving.consoles.metric_words import SMALLEST_EFFECTS
from serving.consoles.plan_form import Form, Posted, field_names
from serving.consoles.power_view import as_long, chart_document, choices, is_underpowered, usual_units
from serving.consoles.reasons import say_reason
from serving.consoles.treatment_form import KINDS, priceable
from serving.consoles.wording import Say
from serving.in_force import conventions
from serving.offers.rule_check import rule_names
from serving.wiring import Services

USUAL_MATURITY_DAYS = 7
RESIZING = ("audience", "channels", "coverage", "holdout", "layer", "arms")


@dataclass(frozen=True, slots=True)
class Draft:
    """A step of a draft as it was typed: the form, the plan's fields of it, and reasons against them by form field."""

    form: Form
    fields: Mapping[str, Any]
    problems: Mapping[str, str]
    focus: str | None = None


@dataclass(frozen=True, slots=True)
class Wizard:
    """What one person, who may do what these roles may, does to one campaign."""

    services: Services
    service: CampaignService
    roles: frozenset[Role]
    language: str
    say: Say

    @property
    def is_demo(self) -> bool:
        """Whether one person may do everything."""
        return self.services.settings.auth == "demo"

    def may_launch(self, saved: SavedCampaign) -> bool:
        """Return whether this person may approve and start it: an approver, and outside demo mode not its author."""
        return Role.APPROVER in self.roles and (self.is_demo or saved.author != self.service.actor)

    @property
    def may(self) -> dict[str, Any]:
        """What pages show only to those who may do it."""
        return {
            "may_launch": self.may_launch,
            "may_draft": Role.MARKETER in self.roles,
            "may_hold": bool(self.roles & {Role.MARKETER, Role.APPROVER}),
            "is_demo": self.is_demo,
        }

    def catalogue(self) -> Catalogue:
        """Return the catalogue in force."""
        with self.services.database.read() as log:
            return self.services.catalogue.current(log)

    def create(self, posted: Posted) -> tuple[SavedCampaign | None, Draft]:
        """Save a new draft from the first step; None with the problems where it cannot be."""
        draft = self.typed("goal", posted, None)
        try:
            return self.service.draft(self._first_plan(draft.fields)), draft
        except CampaignInvalid as error:
            return None, self._refused(draft, error)

    def save(self, step: str, posted: Posted, saved: SavedCampaign) -> Draft:
        """Save a step of a draft; the answer has the problems where it could not be."""
        draft = self.typed(step, posted, saved)
        if draft.problems:
            return draft
        try:
            following = self._following(step, draft.fields, saved.plan)
            self.service.change(saved.campaign_id, {**draft.fields, **following})
            return draft
        except CampaignInvalid as error:
            return self._refused(draft, error)

    def typed(self, step: str, posted: Posted, saved: SavedCampaign | None) -> Draft:
        """Return a step as it was typed, after what a button inside the form asks for."""
        if step == "goal":
            form = forms.posted_goal(posted)
            return Draft(form, forms.goal_fields(form, saved.plan if saved else {}), {})
        if step == "audience":
            form = forms.posted_audience(posted)
            return Draft(form, forms.audience_fields(form), {})
        if step == "power" and saved is not None:
            form = forms.posted_power(posted)
            return Draft(form, forms.power_fields(form, saved.plan), {})
        if step == "arms":
            return self._typed_arms(posted)
        return Draft({}, {}, {})

    def opened(self, step: str, saved: SavedCampaign) -> Draft:
        """Return a step as it is saved."""
        form: Form = {}
        if step == "arms":
            form = {"arms": arms_of_plan(saved.plan, self.catalogue())}
        elif step in ("goal", "audience", "power"):
            read = {"goal": forms.goal_form, "audience": forms.audience_form, "power": forms.power_form}[step]
            form = read(saved.plan)
        return Draft(form, {}, {})

    def shown(self, step: str, draft: Draft, saved: SavedCampaign | None) -> dict[str, Any]:
        """Return what the page of a step shows."""
        values: dict[str, Any] = {
            "step": step,
            "steps": forms.STEPS,
            "campaign": saved,
            "form": draft.form,
            "focus": draft.focus,
            "problems": draft.problems,
            "metric_words": metric_words,
            "titles": self._titles,
            **self.may,
        }
        if step == "goal":
            values |= {"metrics": list(METRICS), "first_metrics": forms.FIRST_METRICS}
        elif step == "audience":
            with self.services.database.read() as log:
                values |= {"rule_names": rule_names(log), "channels": self.services.policy.current(log).words.channels}
        elif step == "arms":
            values |= self._arm_choices()
        elif saved is not None:
            values |= self._sized(draft, saved, with_checks=step == "launch")
        said = {name: say_reason(reason, self.language) for name, reason in values["problems"].items()}
        return {**values, "problems": said}

    def _titles(self, names: Iterable[str]) -> list[str]:
        """Return what offers and families are called."""
        titles = {offer.offer_id: offer.title(self.language) for offer in self.catalogue().offers}
        return [titles.get(one) or formats.name(one, self.language) for one in names]

    def _arm_choices(self) -> dict[str, Any]:
        catalogue = self.catalogue()
        families = sorted({offer.family for offer in catalogue.offers if offer.family})
        return {
            "catalogue": catalogue,
            "families": families,
            "priceable": priceable(catalogue),
            "change_kinds": KINDS,
        }

    def _first_plan(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return a whole plan around the fields of the first step: everybody, half and half, as long as is usual."""
        plan = {
            "arms": [
                {"name": self.say("arm_control"), "weight": 50, "control": True},
                {"name": self.say("arm_new"), "weight": 50},
            ],
            "smallest_effect": SMALLEST_EFFECTS.get(fields["primary"], 0.01),
            "maturity_days": USUAL_MATURITY_DAYS,
            **fields,
        }
        units = usual_units(preview(self.services, plan), plan["smallest_effect"], USUAL_MATURITY_DAYS)
        return {**plan, "planned_units": units}

    def _typed_arms(self, posted: Posted) -> Draft:
        arms, catalogue = (
            arms_of_form({name: values[-1] for name, values in posted.items() if values}),
            self.catalogue(),
        )
        wish = next(iter(posted.get("do", ())), "")
        focus = edited(arms, wish, catalogue)
        documents, problems = plan_arms(arms, catalogue, self.say("json_broken"))
        for number, arm in enumerate(arms):
            for place, change in enumerate(arm.changes):
                if not change.offer_id:
                    problems[f"arm.{number}.change.{place}"] = self.say("choose_offer")
        together = share_total(arms)
        if together is not None and abs(together - 100) > 0.1:
            problems["arms"] = self.say("split_off", total=f"{together:g}")
        return Draft({"arms": arms}, {"arms": documents}, {} if wish else problems, focus)

    def _following(self, step: str, fields: Mapping[str, Any], plan: Mapping[str, Any]) -> dict[str, Any]:
        """Return what changes with a step: another metric's usual effect, the customers of as long a time.

        A length that nobody has chosen becomes the usual one of the plan as it is then.
        """
        if step == "goal" and fields["primary"] in METRICS and fields["primary"] != plan["primary"]:
            return {"smallest_effect": SMALLEST_EFFECTS[fields["primary"]]}
        if not any(name in fields and plan[name] != fields[name] for name in RESIZING):
            return {}
        before, after = self._preview_of_saved(plan), preview(self.services, {**plan, **fields})
        wanted, maturity_days = plan["smallest_effect"], plan["maturity_days"]
        if plan["planned_units"] == usual_units(before, wanted, maturity_days):
            return {"planned_units": usual_units(after, wanted, maturity_days)}
        return {"planned_units": as_long(before.days_of_planned_units, after, maturity_days)}

    def _sized(self, draft: Draft, saved: SavedCampaign, *, with_checks: bool) -> dict[str, Any]:
        """Return what the preview says of the plan as typed, or as saved where that cannot be used."""
        plan = {**saved.plan, **draft.fields}
        problems = dict(draft.problems)
        try:
            found = preview(self.services, plan)
            with self.services.database.read() as log:
                reading = conventions(log, self.services.policy.current(log))
            plan = plan_to_dict(parse_plan(plan, reading))
        except CampaignInvalid as error:
            problems = problems or dict(self._refused(draft, error).problems)
            plan = saved.plan
            found = self._preview_of_saved(plan)
        values: dict[str, Any] = {"plan": plan, "found": found, "problems": problems}
        if with_checks:
            return values | {"checks": checks(plan, found, self.language, self.say)}
        return values | {
            "choices": choices(found, plan["maturity_days"]),
            "is_underpowered": is_underpowered(found, plan["smallest_effect"]),
            "chart_document": chart_document(found, plan, self.services, self.say),
        }

    def _preview_of_saved(self, plan: Mapping[str, Any]) -> PreviewBody:
        """Return the preview of a saved plan, without what cannot be used any more: channels, or its treatments."""
        try:
            return preview(self.services, plan)
        except CampaignInvalid:
            with self.services.database.read() as log:
                known = self.services.policy.current(log).words.channels
            arms = [{**arm, "treatment": {}} for arm in plan["arms"]]
            channels = [one for one in plan["channels"] if one in known]
            return preview(self.services, {**plan, "arms": arms, "channels": channels})

    def _refused(self, draft: Draft, error: CampaignInvalid) -> Draft:
        return Draft(draft.form, draft.fields, field_names(error.problems, draft.fields), draft.focus)
