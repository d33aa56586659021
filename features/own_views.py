"""What a bank writes to add features of its own: views, where they come from, and what follows from them.

A file declares views as module variables; `features.own_discovery` finds them, and docs/features.md tells the story.
"""

import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, get_args, get_type_hints

Value = bool | int | float | str | None
Function = TypeVar("Function", bound=Callable[..., Value])
CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Feature:
    """One value of a customer: its name in rules and models, its type (float, int, str or bool), and what it says."""

    name: str
    type: type
    description: str = ""


@dataclass(frozen=True, slots=True)
class Parquet:
    """Dated rows in a Parquet file, or in all of a folder (`*.parquet`); a relative path is beside the Python file.

    `key` is the column of the customer's id, `known_at` the one of since when a row was known; other columns than
    the features are not read.
    """

    path: str
    key: str = "customer_id"
    known_at: str = "known_at"


@dataclass(frozen=True, slots=True)
class Table:
    """Dated rows of a table (or view) of a SQL database, whose SQLAlchemy address is in an environment variable."""

    address_variable: str
    name: str
    key: str = "customer_id"
    known_at: str = "known_at"

    @property
    def address(self) -> str | None:
        """The address, None where the variable is not set."""
        return os.environ.get(self.address_variable)


@dataclass(frozen=True, slots=True)
class Pushed:
    """Rows that come over HTTP, `POST /v1/features/{view}`, known from the moment they come."""


Source = Parquet | Table | Pushed


@dataclass(frozen=True, slots=True)
class Transformation:
    """A feature that is computed by a pure function: its inputs are the function's parameters, by name."""

    name: str
    type: type | None
    description: str
    inputs: tuple[str, ...]
    function: Callable[..., Value]


@dataclass
class View:
    """Features of one source. `owner` is who answers for them, an address for instance."""

    name: str
    source: Source
    features: list[Feature]
    description: str = ""
    owner: str = ""
    entity: str = CUSTOMER
    transformations: list[Transformation] = field(default_factory=list, init=False)

    def transformation(self, description: str = "") -> Callable[[Function], Function]:
        """Make the decorated function a feature of its name.

        Its parameters name other features: of this or another view of the bank, or ours, attributes among them. What
        is not known of a customer is None. The annotation of what it returns says the type, as in `float | None`.
        """

        def declare(function: Function) -> Function:
            inputs = tuple(inspect.signature(function).parameters)
            name = function.__name__
            self.transformations.append(Transformation(name, returned_type(function), description, inputs, function))
            return function

        return declare


@dataclass(frozen=True, slots=True)
class Code:
    """Where the functions of a view are: a file of the bank's folder, of this `digest`, or an installed `module`."""

    place: str
    digest: str | None = None
    module: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A view and where it was declared; relative paths of its source are below `folder`."""

    view: View
    code: Code
    folder: Path | None = None


def returned_type(function: Callable[..., Value]) -> type | None:
    """Return the type that a function says it returns, beside None; None where it says none, or several."""
    try:
        hint: object = get_type_hints(function).get("return")
    except (NameError, TypeError):
        return None
    told = [one for one in (get_args(hint) or (hint,)) if one is not type(None)]
    return told[0] if len(told) == 1 and isinstance(told[0], type) else None
