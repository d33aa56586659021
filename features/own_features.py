"""The bank's own features as they were applied: a document that names them, and the functions that it holds.

Service and training read the document, never the bank's files: what was applied last goes on.
"""

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from features.own_code import CodeShelf, load_code
from features.own_views import Declared, Pushed, Value
from recsys.domain.customer import MAX_TEXT_LENGTH, AttributeValue
from recsys.domain.errors import InvalidInput

TYPES: Mapping[str, type] = {"float": float, "int": int, "str": str, "bool": bool}
BEYOND = "beyond 64 bits"
_CODE_LENGTH = 12
_PLAIN: Mapping[type, Callable[[Any], AttributeValue]] = {
    float: float.__float__, int: int.__int__, str: str.__str__, bool: bool,
}  # fmt: skip
"""Whatever is derived of a type (a number of NumPy, a member of an enumeration) as the plain value that it is."""
_RULE_TYPES = {"float": "number", "int": "number", "str": "text", "bool": "boolean"}


@dataclass(frozen=True, slots=True)
class OwnFeature:
    """A feature of the bank's: `type` is the name of one of `TYPES`."""

    name: str
    type: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class OwnTransformation:
    """A feature that a function computes of its `inputs`."""

    name: str
    type: str
    description: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnView:
    """A view of the bank's, where it was declared, and the code of its functions by `digest` or `module`."""

    name: str
    description: str
    owner: str
    is_pushed: bool
    features: tuple[OwnFeature, ...]
    transformations: tuple[OwnTransformation, ...] = ()
    place: str = ""
    digest: str | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class OwnFeatures:
    """All views of the bank's, in the order of their names; `shelf` is where the code of their functions is kept."""

    views: tuple[OwnView, ...] = ()
    shelf: CodeShelf | None = field(default=None, compare=False)

    @property
    def version(self) -> str:
        """A digest that changes with everything that was declared."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def names(self) -> dict[str, str]:
        """The type of every feature by name."""
        stored = {one.name: one.type for view in self.views for one in view.features}
        return {**stored, **{one.name: one.type for one in self.transformations}}

    @property
    def rule_types(self) -> dict[str, str]:
        """The type of every feature as rules know it."""
        return {name: _RULE_TYPES[kind] for name, kind in self.names.items()}

    @property
    def transformations(self) -> tuple[OwnTransformation, ...]:
        """All transformations."""
        return tuple(one for view in self.views for one in view.transformations)

    @property
    def code(self) -> dict[str, str]:
        """A digest of every transformation by name: of another digest it is another feature."""
        return {
            one.name: hashlib.sha256(
                json.dumps([one.name, one.type, one.inputs, view.digest or view.module]).encode()
            ).hexdigest()[:_CODE_LENGTH]
            for view in self.views
            for one in view.transformations
        }

    def view(self, name: str) -> OwnView | None:
        """Return the view of this name."""
        return next((view for view in self.views if view.name == name), None)

    def to_json(self) -> str:
        """Return the document."""
        return json.dumps([asdict(view) for view in self.views], ensure_ascii=False, sort_keys=True)

    @classmethod
    def of_json(cls, document: str, shelf: CodeShelf | None = None) -> "OwnFeatures":
        """Return what a document says."""
        return cls(
            tuple(
                OwnView(
                    **{
                        **view,
                        "features": tuple(OwnFeature(**one) for one in view["features"]),
                        "transformations": tuple(
                            OwnTransformation(**{**one, "inputs": tuple(one["inputs"])})
                            for one in view["transformations"]
                        ),
                    }
                )
                for view in json.loads(document)
            ),
            shelf,
        )

    @classmethod
    def of_declared(cls, declared: Sequence[Declared], shelf: CodeShelf | None = None) -> "OwnFeatures":
        """Return the document of declarations that were checked."""
        views = []
        for one in sorted(declared, key=lambda one: one.view.name):
            view, code = one.view, one.code
            is_needed = bool(view.transformations)
            views.append(
                OwnView(
                    view.name,
                    view.description,
                    view.owner,
                    isinstance(view.source, Pushed),
                    tuple(OwnFeature(f.name, f.type.__name__, f.description) for f in view.features),
                    tuple(
                        OwnTransformation(t.name, getattr(t.type, "__name__", ""), t.description, t.inputs)
                        for t in view.transformations
                    ),
                    code.place,
                    code.digest if is_needed else None,
                    code.module if is_needed else None,
                )
            )
        return cls(tuple(views), shelf)

    def function(self, view: OwnView, name: str) -> Callable[..., Value]:
        """Return a function of a view; raises InvalidInput in one line where its code cannot be had any more."""
        try:
            if view.module is not None:
                return getattr(importlib.import_module(view.module), name)  # type: ignore[no-any-return]
            return getattr(load_code(view.digest or "", view.place, self.shelf), name)  # type: ignore[no-any-return]
        except (Exception, SystemExit) as error:  # whatever the bank's code raises
            raise InvalidInput(f"{view.place}: {name} cannot be had: {said_of(error)}") from error


NOTHING_OWN = OwnFeatures()


@dataclass(frozen=True, slots=True)
class Transformed:
    """What the functions made; `failed` says of each that could not in one line why."""

    values: Mapping[str, AttributeValue] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Transformations:
    """The functions of a document, ready to be called: the one place that applies them, in training and in service.

    `running` is the one that `apply` is in, `calls` how many it has begun.
    """

    def __init__(self, own: OwnFeatures) -> None:
        self._functions: dict[str, tuple[OwnTransformation, Callable[..., Value]]] = {}
        self._broken: dict[str, str] = {}
        self.running: str | None = None
        self.calls = 0
        for view in own.views:
            for one in view.transformations:
                try:
                    self._functions[one.name] = one, own.function(view, one.name)
                except InvalidInput as error:
                    self._broken[one.name] = str(error)

    def call(self, name: str, known: Mapping[str, AttributeValue]) -> AttributeValue:
        """Return one transformation of what is `known` of one customer; raises whatever the bank's code raises."""
        if name in self._broken:
            raise InvalidInput(self._broken[name])
        one, function = self._functions[name]
        return typed(function(**{name: known.get(name) for name in one.inputs}), one.type)

    def apply(self, known: Mapping[str, AttributeValue]) -> Transformed:
        """Return every transformation of what is `known` of one customer, by the names that rules and models use."""
        values: dict[str, AttributeValue] = {}
        failed = dict(self._broken)
        for name in self._functions:
            self.running, self.calls = name, self.calls + 1
            try:
                values[name] = self.call(name, known)
            except (Exception, SystemExit) as error:  # whatever the bank's code raises
                failed[name] = f"{name} failed: {said_of(error)}"
        self.running = None
        return Transformed(values, failed)


def typed(value: object, kind: str) -> AttributeValue:
    """Return a value as a plain one of the type of this name, None for what is not known.

    Raises TypeError for what no store or record takes: another type, a number beyond 64 bits, a text that is too long,
    has a NUL or is no UTF-8.
    """
    if value is None:
        return None
    wanted = TYPES[kind]
    if wanted is float and isinstance(value, int) and not isinstance(value, bool) and not _trouble(value):
        value = float(value)
    if _trouble(value) or not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise TypeError(f"{kind} is declared, found {kind_of(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return _PLAIN[wanted](value)


def kind_of(value: object) -> str:
    """Return in words what a value is that is not taken; never the value itself."""
    return _trouble(value) or type(value).__name__


def _trouble(value: object) -> str | None:
    """Return what is wrong with a value whatever was declared, None where nothing is."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"a number {BEYOND}"
    if not isinstance(value, str):
        return None
    if len(value) > MAX_TEXT_LENGTH:
        return f"a text of {len(value)} characters, {MAX_TEXT_LENGTH} are the most"
    if "\0" in value:
        return "a text with a NUL"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "a text that is no UTF-8"
    return None


def said_of(error: BaseException) -> str:
    """Return an error in one short line, which can be written wherever text can."""
    name = type(error).__name__
    try:
        said = f"{name}: {error}"
    except Exception:  # it is the bank's own, as is its text
        said = name
    return " ".join(said[:2_000].replace("\0", " ").split()).encode("utf-8", "replace").decode()[:200]
