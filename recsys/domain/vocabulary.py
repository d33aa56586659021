"""The vocabulary: which words of other systems stand for which channel, direction, need, event, flag or consent.

What ships is here and in `channel` and `protection`; a bank's own words are data of its policy. Every edge (import,
HTTP, consoles, command line) parses with it once, and everything behind the edges compares names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from recsys.domain.channel import CHANNELS, Channel
from recsys.domain.contact import Direction
from recsys.domain.customer import CustomerKind
from recsys.domain.interaction import InteractionKind
from recsys.domain.protection import CONSENT_COLUMNS, CONSENT_HEADERS, FLAGS
from recsys.domain.stems import as_words, names_complaint
from recsys.domain.words import WordTable, fold, holds_word, visible_text

COMPLAINT = "complaint"
UNKNOWN_CHANNEL = "?"
"""What a word that stands for no channel is to a decision: it counts towards the cap of every channel."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a contact is about; `complaint_days` is how long a complaint counts as open (None: the policy's days)."""

    label: tuple[str, str]
    spellings: tuple[str, ...] = ()
    is_complaint: bool = False
    complaint_days: int | None = None


def _needs(*rows: tuple[str, str, tuple[str, ...]]) -> dict[str, Need]:
    return {name: Need((name.replace("_", " "), chinese), spellings) for name, chinese, spellings in rows}


NEEDS: Mapping[str, Need] = {
    COMPLAINT: Need(
        ("complaint", "投诉"),
        (
            "complaints",
            "complain",
            "complains",
            "complained",
            "complaining",
            "grievance",
            "grievances",
            "ombudsman",
            "举报",
            "舉報",
            "信访",
            "不满意",
            "非常不满",
            "민원",
            "жалоб",
            "شكوى",
            "şikayet",
            "sikayet",
            "reklamation",
            "reklamationen",
            "klagomål",
            "klagomal",
            "skarga",
            "dissatisfied",
            "dissatisfaction",
            "投訴",
            "客诉",
            "客訴",
            "申诉",
            "申訴",
            "抱怨",
            "维权",
            "維權",
            "苦情",
            "クレーム",
            "불만",
            "жалоба",
            "beschwerde",
            "beschwerden",
            "reclamación",
            "reclamacion",
            "reclamo",
            "queja",
            "réclamation",
            "plainte",
            "reclamação",
            "reclamacao",
            "reclamo formale",
            "klacht",
            "khiếu nại",
        ),
        is_complaint=True,
    ),
    **_needs(
        ("address_change", "变更地址", ("change of address", "修改地址", "地址变更")),
        ("app_problem", "应用问题", ("app issue", "手机银行问题")),
        ("balance", "余额", ("account balance", "余额查询", "查询余额")),
        ("business", "经营需求", ()),
        ("campaign", "活动回访", ()),
        ("cancel_account", "销户", ("close account",)),
        ("cancel_card", "销卡", ("close card", "注销卡片")),
        ("car", "购车", ()),
        ("card_bill", "信用卡账单", ("credit card bill", "账单", "账单查询")),
        ("card_declined", "刷卡被拒", ("declined card", "刷卡失败")),
        ("card_enquiry", "办卡咨询", ("card inquiry", "信用卡咨询")),
        ("card_lost", "卡片丢失", ("lost card", "挂失", "卡片挂失")),
        ("card_upgrade", "升级卡片", ()),
        ("family", "家庭", ()),
        ("family_finance", "家庭理财", ()),
        ("fees", "费用", ("fee", "charges", "手续费")),
        ("foreign_payment", "境外支付", ("payment abroad",)),
        ("fraud_worry", "担心被盗刷", ("fraud", "suspected fraud", "盗刷", "诈骗")),
        ("home", "居家", ()),
        ("insurance", "保险", ()),
        ("interest_rate", "利率", ("interest rates",)),
        ("investment", "投资", ("investments", "理财", "投资理财")),
        ("loan_enquiry", "贷款咨询", ("loan inquiry", "贷款")),
        ("mortgage_enquiry", "房贷咨询", ("mortgage inquiry", "房贷")),
        ("mortgage_leaving", "房贷转出", ()),
        ("move_money", "转出资金", ()),
        ("phone_plan", "手机套餐", ()),
        ("retirement", "养老", ()),
        ("saving", "储蓄", ("savings", "存款")),
        ("transfer", "转账", ("transfers", "汇款")),
        ("travel", "出行", ("trip", "旅行", "旅游")),
        ("tuition", "学费", ()),
        ("wellness", "健康", ()),
    ),
}
"""Common reasons and intents by name; any other word is a need too, called as it is written."""

_DIRECTIONS = WordTable(
    {
        Direction.INBOUND: ("in", "incoming", "inward", "received", "呼入", "来电", "进线", "客户来电"),
        Direction.OUTBOUND: ("out", "outgoing", "outward", "made", "呼出", "外呼", "去电", "回访"),
    }
)
_EVENTS = WordTable(
    {
        InteractionKind.HOLDING: ("hold", "holds", "held", "owns", "owned", "own", "active", "持有", "持有中"),
        InteractionKind.ACCEPTED: (
            "accept", "accepts", "bought", "buy", "purchase", "purchased", "sale", "sold", "yes", "购买", "买入",
            "接受", "办理", "成交", "开通",
        ),
        InteractionKind.DECLINED: (
            "decline", "declines", "reject", "rejected", "refuse", "refused", "no", "拒绝", "谢绝", "婉拒",
        ),
        InteractionKind.INQUIRY: ("enquiry", "inquire", "enquired", "inquired", "asked", "ask", "咨询", "询问"),
        InteractionKind.VIEW: ("viewed", "views", "seen", "click", "clicked", "browse", "浏览", "查看", "点击"),
        InteractionKind.CANCELLED: (
            "cancel", "canceled", "closed", "terminated", "ended", "redeemed", "取消", "注销", "终止", "赎回", "退出",
        ),
    }
)  # fmt: skip
_KINDS = WordTable(
    {
        CustomerKind.CUSTOMER: ("client", "existing", "existing customer", "客户", "老客户", "存量客户"),
        CustomerKind.PROSPECT: (
            "lead",
            "potential",
            "potential customer",
            "non customer",
            "潜在客户",
            "潜客",
            "准客户",
        ),
    }
)
TRUE_WORDS = (
    "true", "t", "yes", "y", "1", "on", "enabled", "ja", "j", "si", "sí", "oui", "sim", "да", "はい", "是", "有", "对",
    "真", "✓", "✔", "√", "☑", "✅",
)  # fmt: skip
FALSE_WORDS = (
    "false", "f", "no", "n", "0", "off", "disabled", "nein", "non", "não", "nao", "нет", "いいえ", "否", "无", "没有",
    "不是", "非", "假", "×", "✗", "✘", "❌",
)  # fmt: skip
_CONSENTED = (
    "granted", "given", "agreed", "agree", "accepted", "opt in", "opted in", "allowed", "同意", "已同意", "授权",
    "已授权", "允许",
)  # fmt: skip
_REFUSED = (
    "refused", "withdrawn", "revoked", "denied", "declined", "rejected", "opt out", "opted out", "not allowed",
    "不同意", "未同意", "拒绝", "已拒绝", "撤回", "已撤回", "撤销", "未授权", "不允许", "取消",
)  # fmt: skip
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("offer_id", "weight", "sentiment", "agent_id", "csat", "known_at", "risk_level", "kind"), ()),
    **dict.fromkeys(("name", "language", "segment"), ()),
    "contact_id": ("contact no", "call id", "联系编号"),
    "opened_at": ("contact time", "call time", "来电时间", "联系时间"),
    "occurred_at": ("交易时间", "发生时间"),
    "event": ("event type",),
    "channel": ("contact channel", "渠道", "联系渠道", "接触渠道"),
    "direction": ("call direction", "呼叫方向"),
    "reason": (
        "contact reason",
        "call reason",
        "call type",
        "reason code",
        "来电原因",
        "联系原因",
        "原因",
        "来电类型",
        "联系类型",
    ),
    "customer_id": ("customer no", "customer number", "client id", "cust id", "客户号", "客户编号", "客户id"),
    **{name: flag.headers for name, flag in FLAGS.items() if flag.is_delivered},
    **{column: CONSENT_HEADERS[purpose] for column, purpose in CONSENT_COLUMNS.items()},
    "consents_as_of": ("consent as of", "consents asof", "consent date", "同意日期", "授权日期"),
}


@dataclass(frozen=True)
class Vocabulary:
    """The words in force: what ships and, over it, the bank's own; made by `recsys.domain.bank_words`."""

    channels: Mapping[str, Channel] = field(default_factory=lambda: CHANNELS)
    needs: Mapping[str, Need] = field(default_factory=lambda: NEEDS)
    true_words: tuple[str, ...] = ()
    false_words: tuple[str, ...] = ()

    def channel(self, text: str) -> str | None:
        """Return the channel that the text stands for, or None where it stands for none."""
        return self._channels.find(text)

    def channel_or_unknown(self, stored: str | None) -> str | None:
        """Return what a channel in the log is to a decision: its name, `UNKNOWN_CHANNEL`, or None as it is."""
        return (
            None if stored is None else stored if stored in self.channels else self.channel(stored) or UNKNOWN_CHANNEL
        )

    def direction(self, text: str) -> str | None:
        """Return the direction that the text stands for, or None."""
        return _DIRECTIONS.find(text)

    def event(self, text: str) -> str | None:
        """Return the kind of interaction that the text stands for, or None."""
        return _EVENTS.find(text)

    def customer_kind(self, text: str) -> str | None:
        """Return the kind of customer that the text stands for, or None."""
        return _KINDS.find(text)

    def need(self, text: str) -> str:
        """Return the name of the reason or intent that the text stands for; one nobody named is as it is written."""
        return self._needs.find(text) or " ".join(text.split())

    def is_known_need(self, text: str) -> bool:
        """Return whether the text stands for a need that the vocabulary names, a complaint in more words included."""
        return self._needs.find(text) is not None or self.is_complaint(text)

    def is_complaint(self, reason: str | None) -> bool:
        """Return whether a contact for this reason is a complaint: it is called one, or names one among other words."""
        return reason is not None and self._complaint(reason) is not None

    def complaint_days(self, reason: str) -> int | None:
        """Return how many days such a complaint counts as open; None: as many as the policy says."""
        need = self._complaint(reason)
        return None if need is None else need.complaint_days

    def _complaint(self, reason: str) -> Need | None:
        if (name := self._needs.find(reason)) is not None:
            return self.needs[name] if self.needs[name].is_complaint else None
        folded = fold(as_words(reason))
        found = next((need for word, need in self._complaint_words if holds_word(folded, word)), None)
        return self.needs[COMPLAINT] if found is None and names_complaint(reason) else found

    def truth(self, text: str) -> bool | None:
        """Return what a cell of yes or no says, None for an empty one; raises `ValueError` for anything else."""
        return _read(self._truths, text)

    def consent(self, text: str) -> bool | None:
        """Return what a cell of a consent says: as `truth`, and words such as granted and withdrawn."""
        return _read(self._consents, text)

    def column(self, header: str) -> str:
        """Return the column that a header stands for; one that stands for none stays as it is written, trimmed."""
        return _HEADERS.find(header) or _HEADERS.find(as_words(header)) or header.strip()

    def nearest_channel(self, text: str) -> str | None:
        """Return the channel whose spelling is nearest, or None."""
        return self._channels.nearest(text)

    def nearest_need(self, text: str) -> str | None:
        """Return the need whose spelling is nearest, or None."""
        return self._needs.nearest(text)

    @cached_property
    def _channels(self) -> WordTable:
        return WordTable({name: (*one.spellings, *one.label) for name, one in self.channels.items()})

    @cached_property
    def _needs(self) -> WordTable:
        return WordTable({name: (*need.spellings, *need.label) for name, need in self.needs.items()})

    @cached_property
    def _complaint_words(self) -> list[tuple[str, Need]]:
        needs = ((name, need) for name, need in self.needs.items() if need.is_complaint)
        return [(fold(word), need) for name, need in needs for word in (name, *need.spellings, *need.label)]

    @cached_property
    def _truths(self) -> Mapping[str, bool]:
        return _readings((*TRUE_WORDS, *self.true_words), (*FALSE_WORDS, *self.false_words))

    @cached_property
    def _consents(self) -> Mapping[str, bool]:
        return {**_readings(_CONSENTED, _REFUSED), **self._truths}


_HEADERS = WordTable(_COLUMNS)


def _readings(true_words: Iterable[str], false_words: Iterable[str]) -> dict[str, bool]:
    return {_mark(word): True for word in true_words} | {_mark(word): False for word in false_words}


def _mark(text: str) -> str:
    """Return the folded word, or what is visible of it where it is a number or has no letters: "-1" is not "1"."""
    visible = visible_text(text)
    return visible if any(character.isdigit() for character in visible) else fold(text) or visible


def _read(readings: Mapping[str, bool], text: str) -> bool | None:
    word = _mark(text)
    if not word:
        return None
    if word in readings:
        return readings[word]
    try:
        number = float(word)
    except ValueError:
        number = -1.0
    if number in (0.0, 1.0):
        return bool(number)
    raise ValueError("must be true or false (yes, no, 1, 0, 是, 否, …)")


SHIPPED = Vocabulary()
"""The vocabulary without any bank's own words."""
NAMED_LATER = frozenset({"balance"})
"""Needs that had no name of their own when decisions of record format 2 were made."""
