"""Finds what the bank declares – in a folder of Python files, in installed packages – and checks all of it at once."""

import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from features.customer_history import HISTORY_FEATURES
from features.feature_tables import FeatureTable
from features.from_events import (
    CHANNEL_FEATURES,
    INTERACTION_FEATURES,
    OFFER_FEATURES,
    PROFILE_FEATURES,
    age_name,
)
from features.own_calls import Underway, said_in_log, said_while_it_hangs
from features.own_code import digest_of, load_file
from features.own_features import TYPES, typed
from features.own_views import CUSTOMER, Code, Declared, Parquet, Pushed, Table, Transformation, View
from features.service_names import EVENTS_VIEW
from recsys.domain.errors import FeaturesInvalid
from recsys.domain.identifier import form_of
from recsys.domain.protection import CONSENT_COLUMNS, FLAGS
from recsys.domain.stems import looks_protective
from recsys.domain.vocabulary import SHIPPED
from recsys.ranking.signals import is_of_contact
from recsys.rules import BUILT_IN
from recsys.rules.syntax import RESERVED

GROUP = "nbo.features"
_AGES = {age for name in INTERACTION_FEATURES if (age := age_name(name))}
_OF_OFFERS = ("base_log_odds", "relevance", "intent_match", "is_service", "times_declined", "days_since_declined")
_KEYS = ("customer_id", "offer_id", "event_timestamp", "known_at", "row")
_OURS = frozenset(
    (*BUILT_IN, *PROFILE_FEATURES, *INTERACTION_FEATURES, *_AGES, *HISTORY_FEATURES, *OFFER_FEATURES)
).union(CHANNEL_FEATURES, _OF_OFFERS, _KEYS)
_OUR_FORMS = frozenset(map(form_of, _OURS))
_PERSONAL = re.compile(r"(.*_)?(name|surname|email|mail|phone|mobile|address|passport|birthday|iban|id_?number)(_.*)?")
"""Names of what tells who somebody is: never a feature."""


def find_declared(folder: Path | None, attributes: Collection[str] = ()) -> list[Declared]:
    """Return every view of the files in `folder` (`*.py` without a leading "_") and of the installed packages.

    `attributes` are the customers' attributes, which transformations may read and features must not be called like.
    Raises FeaturesInvalid with one line for everything that is wrong.
    """
    problems: list[str] = []
    found: list[Declared] = []
    if folder is not None and not folder.is_dir():
        problems.append(f"NBO_FEATURES: there is no folder {folder}")
    files = sorted(folder.glob("[!_]*.py")) if folder is not None else []
    underway = Underway()
    with said_while_it_hangs(underway, said_in_log):
        for load, source in [(_of_file, files), (_of_entry_point, sorted(entry_points(group=GROUP)))]:
            for one in source:  # type: ignore[attr-defined]
                place = str(getattr(one, "value", one))
                underway.begin(place)
                try:
                    found += load(one)  # type: ignore[operator]
                except (Exception, SystemExit) as error:  # whatever the bank's code raises
                    problems.append(f"{place}: {_said(error)}")
    problems += _problems(found, frozenset(attributes))
    if problems:
        raise FeaturesInvalid(problems)
    return found


def readable_inputs(attributes: Collection[str]) -> frozenset[str]:
    """Return the names of our features that a transformation may read."""
    of_events = {age_name(name) or name for name in INTERACTION_FEATURES}
    return frozenset([*PROFILE_FEATURES, *of_events, *attributes])


def _of_file(file: Path) -> list[Declared]:
    """Run a file of the bank's folder and return its views; raises whatever it raises."""
    code = Code(str(file), digest=digest_of(file))
    return [Declared(view, code, file.parent) for view in _views(vars(load_file(file)).values())]


def _of_entry_point(entry: EntryPoint) -> list[Declared]:
    """Return the views of an entry point: a module, a view, or a list of views."""
    loaded = entry.load()
    values = (
        vars(loaded).values() if isinstance(loaded, ModuleType) else loaded if isinstance(loaded, list) else [loaded]
    )
    folder = Path(getattr(sys.modules[entry.module], "__file__", None) or ".").parent
    return [Declared(view, Code(entry.value, module=entry.module), folder) for view in _views(values)]


def _views(values: Iterable[Any]) -> list[View]:
    views = {id(one): one for one in values if isinstance(one, View)}
    return list(views.values())


def _problems(found: list[Declared], attributes: frozenset[str]) -> Iterator[str]:
    """Yield a line for everything that is wrong with what was declared."""
    views: dict[str, str] = {}
    features: dict[str, tuple[str, str]] = {}
    customers = {form_of(name): name for name in attributes}
    stored = {feature.name for one in found for feature in one.view.features}
    readable = readable_inputs(attributes) | stored
    for one in found:
        view, where = one.view, f"{one.code.place}: view {one.view.name}"
        if (said := _of_view(view)) is not None:
            yield f"{where}: {said}"
        if view.name in views:
            yield f"{where}: {views[view.name]} declares a view of this name"
        views.setdefault(view.name, one.code.place)
        for name, kind in [
            *((f.name, f.type) for f in view.features),
            *((t.name, t.type) for t in view.transformations),
        ]:
            said = _of_name(name, customers)
            if said is None and (taken := features.get(form_of(name))) is not None:
                said = f"view {taken[0]} has a feature {_called(taken[1], name)}"
            if said is None and getattr(kind, "__name__", None) not in TYPES:
                said = f"expected one of the types {', '.join(TYPES)}, found {getattr(kind, '__name__', kind)}"
            if said is not None:
                yield f"{where}, feature {name}: {said}"
            features.setdefault(form_of(name), (view.name, name))
        for transformation in view.transformations:
            if (said := _of_transformation(transformation, readable)) is not None:
                yield f"{where}, feature {transformation.name}: {said}"


def _of_view(view: View) -> str | None:
    taken = (*FeatureTable, EVENTS_VIEW)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", str(view.name)):
        return "a view is called by small letters, digits and _, a letter first"
    if view.name in taken:
        return "we have a view of this name"
    if view.entity != CUSTOMER:
        return f"expected the entity {CUSTOMER}, found {view.entity}"
    if not isinstance(view.source, Parquet | Table | Pushed):
        return f"expected a source (Parquet, Table or Pushed), found {type(view.source).__name__}"
    return None if view.features else "a view needs at least one feature"


def _of_name(name: str, attributes: Mapping[str, str]) -> str | None:
    """Return what is wrong with the name of a feature, or None; `attributes` are the customers' by their forms."""
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 63:
        return "a feature is called by letters, digits and _, up to 63 of them"
    form = form_of(name)
    if form.upper() in RESERVED:
        return "it is a word of the rule language, in which no name is called so"
    if form in _OUR_FORMS or is_of_contact(form) or form.startswith("attr_"):
        return f"we have a feature {_called(form, name)}"
    if form in attributes:
        return f"customers have an attribute {_called(attributes[form], name)}"
    if looks_protective(name) or SHIPPED.column(name) in {*FLAGS, *CONSENT_COLUMNS}:
        return "it seems to protect somebody; permission is never a feature, it is imported (docs/import.md)"
    if _PERSONAL.fullmatch(name.lower()):
        return "it seems to say who somebody is, which is never a feature"
    return "moments are no features: give the days since then" if age_name(form) else None


def _called(taken: str, name: str) -> str:
    return "of this name" if taken == name else f"called {taken}; names that differ by their case alone are one"


def _of_transformation(one: Transformation, readable: frozenset[str]) -> str | None:
    unknown = [name for name in one.inputs if name not in readable]
    if unknown:
        return f"nothing is called {', '.join(unknown)}; a parameter is the name of a feature or an attribute"
    if not one.inputs:
        return "it reads no feature"
    if one.type is None or one.type.__name__ not in TYPES:
        return None  # said with the types
    try:
        typed(one.function(**dict.fromkeys(one.inputs)), one.type.__name__)
    except (Exception, SystemExit) as error:  # whatever the bank's code raises
        return f"where nothing is known it must return None or a value, and raises {_said(error)}"
    return None


def _said(error: BaseException) -> str:
    place = f", line {error.lineno}" if isinstance(error, SyntaxError) else _line_of(error)
    return " ".join(f"{type(error).__name__}: {error}{place}".split())[:300]


def _line_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f", line {trace.tb_lineno}" if trace is not None else ""
