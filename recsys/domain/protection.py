"""What protects a customer from being sold to: the flags and the purposes of consent, each named here and only here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Flag:
    """A mark that stops every sale to a customer; a new one is a new entry of `FLAGS` and nothing else.

    `label` and `held_back` are (English, Chinese): how pages call it, and why an offer is held back. `headers` are
    other names that files give its column. `outranks_consent`: named before a missing consent or an open complaint.
    `is_delivered`: files may have a column of it, rules may name it and people may set it; else they may only end it.
    """

    label: tuple[str, str]
    held_back: tuple[str, str]
    headers: tuple[str, ...] = ()
    outranks_consent: bool = False
    is_delivered: bool = True


UNREADABLE = "protection_unreadable"
"""Set where something that may protect a person could not be read, until a good row or a person ends it."""

FLAGS: Mapping[str, Flag] = {
    "do_not_contact": Flag(
        label=("Asked not to be sold to", "不接受推销"),
        held_back=("The customer asked not to be sold to", "客户要求不接受推销"),
        headers=(
            "dnc", "do_not_call", "do_not_market", "do_not_sell", "no_contact", "no_marketing", "opt_out", "opted_out",
            "optout", "免打扰", "请勿联系", "勿扰", "禁止联系", "禁止营销", "拒绝营销", "不接受推销", "不接受营销",
            "谢绝推销",
        ),
        outranks_consent=True,
    ),
    UNREADABLE: Flag(
        label=("Protection could not be read", "保护信息无法读取"),
        held_back=(
            "What protects this customer could not be read: no sales until it is",
            "该客户的保护信息无法读取：核实之前不做销售",
        ),
        outranks_consent=True,
        is_delivered=False,
    ),
    "vulnerable": Flag(
        label=("Vulnerable customer", "弱势客户"),
        held_back=("Marked vulnerable: no sales", "客户被标记为弱势群体：不做销售"),
        headers=("vulnerability", "is_vulnerable", "vulnerable_customer", "弱势客户", "弱势群体", "是否弱势"),
    ),
    "arrears": Flag(
        label=("In arrears", "有逾期"),
        held_back=("In arrears: no sales", "客户有逾期：不做销售"),
        headers=("in_arrears", "overdue", "is_overdue", "delinquent", "past_due", "逾期", "有逾期", "是否逾期", "欠款"),
    ),
}  # fmt: skip
"""By name, in the order in which they are told where several hold."""


class Purpose(StrEnum):
    """What a consent is given for."""

    MARKETING = "marketing"
    PROFILING = "profiling"
    PARTNER = "partner"


CONSENT_COLUMN = "consent_{}"
CONSENT_HEADERS: Mapping[Purpose, tuple[str, ...]] = {
    Purpose.MARKETING: (
        "marketing_consent", "marketing_opt_in", "opt_in", "optin", "marketing_permission", "营销同意", "同意营销",
        "营销授权", "是否同意营销",
    ),
    Purpose.PROFILING: (
        "profiling_consent", "profiling_opt_in", "画像同意", "同意画像", "画像授权", "分析同意", "是否同意画像",
    ),
    Purpose.PARTNER: (
        "partner_consent", "partners_consent", "third_party_consent", "consent_partners", "consent_third_party",
        "合作方同意", "同意合作方", "第三方同意", "是否同意合作方",
    ),
}  # fmt: skip
"""Other names that files give the columns of consents."""

DELIVERED_FLAGS = tuple(name for name, flag in FLAGS.items() if flag.is_delivered)
CONSENT_COLUMNS: Mapping[str, Purpose] = {CONSENT_COLUMN.format(purpose): purpose for purpose in Purpose}


@dataclass(frozen=True, slots=True)
class Statement:
    """One line of the ledger of protections: somebody said at a moment that a flag holds or a consent is given.

    `subject` is a `Purpose` or a flag; `UNREADABLE` may have "/" and the row that was not read behind it. `as_of`
    is since when it is true; None: a file that did not say, which any statement with a moment outranks.
    """

    subject: str
    value: bool
    as_of: datetime | None
    recorded_at: datetime
    source: str
    actor: str | None = None
    why: str | None = field(default=None)


def flag_of(subject: str) -> str | None:
    """Return the flag that a ledger's subject is about, or None for a consent."""
    name = subject.partition("/")[0]
    return name if name in FLAGS else None


def in_force(ledger: Iterable[Statement]) -> dict[str, Statement]:
    """Return the last statement about each subject of a customer's ledger, in the order in which it is kept."""
    return {one.subject: one for one in ledger}
