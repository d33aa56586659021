"""The key in Redis that says that everybody's features are there: of when, and which features of which views.

Redis can be emptied, by a restart without persistence or by a failover to an empty replica, and then answers as fast
as ever. What is missing is told by this key, which is written after everything else. It says so for each home that
keeps its features there, by the home's id, which its rows have in their keys too: none reads or takes away another's.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

KEY = "nbo:features:materialised"
BEGUN_KEY = "nbo:features:begun"
"""Written before everything else: gone at the end, the store was emptied meanwhile."""
"""Both are hashes with a field for each home, as everything of Feast's in Redis is a hash."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A complete materialisation: of the feature tables as of `as_of`, written until `written_at`.

    `run` is its own name. `views` are the features written by view: what is read until the next one, whatever is
    applied meanwhile. `facts_version` is the latest version of customers' facts that the event log had (None: not
    known), and `own` the version of the bank's own features (None: it has none). `failed` says of each of the bank's
    own views that could not be brought up to date why: what was written of it before is read on.
    """

    run: str
    as_of: datetime
    written_at: datetime
    services: tuple[str, ...] = ()
    views: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts_version: int | None = None
    own: str | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the marker as it is stored."""
        moments = {"as_of": self.as_of.isoformat(), "written_at": self.written_at.isoformat()}
        return json.dumps({**asdict(self), **moments})

    @classmethod
    def of_json(cls, text: bytes | str | None) -> "Marker | None":
        """Return the stored marker; None where there is none, or one that another version wrote."""
        try:
            stored: Any = json.loads(text or "")
            return cls(
                run=str(stored["run"]),
                as_of=datetime.fromisoformat(stored["as_of"]),
                written_at=datetime.fromisoformat(stored["written_at"]),
                services=tuple(stored["services"]),
                views={str(view): tuple(names) for view, names in stored["views"].items()},
                facts_version=stored["facts_version"],
                own=stored.get("own"),
                failed=dict(stored.get("failed", {})),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
