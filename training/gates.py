"""What a promotion gate says, and the one that is judged only when somebody approves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    """What a gate found; only REFUSED keeps a version out of service."""

    PASSED = "passed"
    WARNED = "passed with a warning"
    REFUSED = "refused"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition for promotion, whether it holds, and the figure or reason it was judged by."""

    name: str
    verdict: Verdict
    figure: str

    @classmethod
    def of(cls, name: str, is_passed: bool, figure: str) -> "Gate":
        """Return a gate that has passed or refuses."""
        return cls(name, Verdict.PASSED if is_passed else Verdict.REFUSED, figure)

    @classmethod
    def from_json(cls, document: Mapping[str, str]) -> "Gate":
        """Return the gate of `described`; raises KeyError or ValueError when it is none."""
        return cls(document["gate"], Verdict(document["verdict"]), document["figure"])

    @property
    def is_refused(self) -> bool:
        """Whether it keeps the version out of service."""
        return self.verdict is Verdict.REFUSED

    def described(self) -> dict[str, Any]:
        """Return the gate as JSON values; `passed` is null where it is not applicable."""
        passed = None if self.verdict is Verdict.NOT_APPLICABLE else not self.is_refused
        return {"gate": self.name, "verdict": self.verdict.value, "passed": passed, "figure": self.figure}

    def __str__(self) -> str:
        return f"{self.name}: {self.figure}"


APPROVER = "approved by somebody else"
SKEW = "same features in service"


def approver_to_come(trainer: str) -> Gate:
    """Return the gate about the approver as it stands before there is one."""
    return Gate(APPROVER, Verdict.NOT_APPLICABLE, f"trained by {trainer}; judged when somebody approves")


def judge_approver(trainer: str, approver: str) -> Gate:
    """Refuse an approver who trained the version; upper and lower case and outer spaces make nobody another."""
    is_somebody = bool(approver.strip())
    is_other = is_somebody and approver.strip().casefold() != trainer.strip().casefold()
    said = f"trained by {trainer}, approved by {approver.strip() or 'nobody'}"
    return Gate.of(APPROVER, is_other, said)


def refusals(gates: Iterable[Gate]) -> tuple[str, ...]:
    """Return what each gate that refuses says."""
    return tuple(str(gate) for gate in gates if gate.is_refused)
