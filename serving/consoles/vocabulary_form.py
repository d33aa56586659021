"""The forms of the vocabulary's page: entries as typed, and what they make of the bank's own words."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from starlette.datastructures import FormData

from recsys.domain.channel import CHANNELS, Channel
from recsys.domain.errors import PolicyInvalid
from recsys.domain.vocabulary import COMPLAINT, NEEDS, Need, Vocabulary
from recsys.domain.words import fold, is_blank

Words = dict[str, Any]
"""The bank's own words as the policy's document has them."""
ICONS = tuple(dict.fromkeys(one.icon for one in CHANNELS.values()))
TRUTHS = ("true", "false")


@dataclass(frozen=True, slots=True)
class ChannelForm:
    """A channel as typed; `name` is empty for a new one, which is called by its label."""

    part: ClassVar[str] = "channels"
    name: str = ""
    label_en: str = ""
    label_zh: str = ""
    spellings: str = ""
    icon: str = "contact"
    live: bool = True
    inbound: bool = True
    outbound: bool = True
    self_service: bool = False

    @property
    def key(self) -> str:
        """The name that the entry has, or will have."""
        return self.name or fold(self.label_en or self.label_zh)

    @classmethod
    def of(cls, name: str, words: Vocabulary, own: Words) -> "ChannelForm":
        """Return the form of a channel in force."""
        one = words.channels[name]
        marks = (one.is_live, one.inbound, one.outbound, one.is_self_service)
        return cls(name, *one.label, "\n".join(own_spellings(own, ("channels",), name)), one.icon, *marks)

    @classmethod
    def submitted(cls, form: FormData) -> "ChannelForm":
        """Return what was sent."""
        sent: Words = {name: typed(form.get(name)) for name in ("name", "label_en", "label_zh", "spellings", "icon")}
        sent |= {name: bool(form.get(name)) for name in ("live", "inbound", "outbound", "self_service")}
        return cls(**sent)

    def put(self, own: Words, words: Vocabulary) -> str:
        """Write the channel into the bank's own words and return its name; raises `PolicyInvalid` for one too many."""
        name = self.key
        _check_is_new(self, name, words.channel(name))
        shipped = CHANNELS.get(name, Channel((name.replace("_", " ").capitalize(),) * 2))
        values = {name: value for name, value in asdict(self).items() if isinstance(value, bool)}
        before = {
            "live": shipped.is_live, "inbound": shipped.inbound, "outbound": shipped.outbound,
            "self_service": shipped.is_self_service,
        }  # fmt: skip
        entry: Words = {name: value for name, value in values.items() if value != before[name]}
        if self.icon and self.icon != shipped.icon:
            entry["icon"] = self.icon
        _put(
            own,
            "channels",
            name,
            (entry, _label(self, shipped.label), lines(self.spellings)),
            is_new=name not in CHANNELS,
        )
        return name


@dataclass(frozen=True, slots=True)
class NeedForm:
    """A reason or an intent as typed; `name` is empty for a new one, which is called by its label."""

    part: ClassVar[str] = "reasons"
    name: str = ""
    label_en: str = ""
    label_zh: str = ""
    spellings: str = ""
    complaint: bool = False
    days: str = ""

    @property
    def key(self) -> str:
        """The name that the entry has, or will have."""
        return self.name or self.label_en or self.label_zh

    @classmethod
    def of(cls, name: str, words: Vocabulary, own: Words) -> "NeedForm":
        """Return the form of a reason in force."""
        one = words.needs[name]
        days = "" if one.complaint_days is None else str(one.complaint_days)
        spellings = "\n".join(own_spellings(own, ("reasons", "intents"), name))
        return cls(name, *one.label, spellings, one.is_complaint, days)

    @classmethod
    def submitted(cls, form: FormData) -> "NeedForm":
        """Return what was sent."""
        sent: Words = {name: typed(form.get(name)) for name in ("name", "label_en", "label_zh", "spellings", "days")}
        return cls(**sent, complaint=bool(form.get("complaint")))

    def put(self, own: Words, words: Vocabulary) -> str:
        """Write the reason into the bank's own words and return its name; raises `PolicyInvalid` for one too many."""
        name = self.key
        _check_is_new(self, name, words.need(name) if words.need(name) in words.needs else None)
        shipped = NEEDS.get(name, Need((name.replace("_", " "),) * 2))
        entry: Words = {"complaint": self.complaint} if self.complaint != shipped.is_complaint else {}
        if self.days:
            entry["days"] = int(self.days) if self.days.isdecimal() and len(self.days) < 9 else self.days
        part = _part_of(own, name)
        if part == "reasons":
            _set_or_drop(own, "intents", _without(own.get("intents", {}), name))
        _put(own, part, name, (entry, _label(self, shipped.label), lines(self.spellings)), is_new=name not in NEEDS)
        return name


Form = ChannelForm | NeedForm
FORMS: Mapping[str, type[ChannelForm] | type[NeedForm]] = {"channels": ChannelForm, "reasons": NeedForm}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word that nobody knows is said to mean: a name that is there, a new one, or a complaint."""

    part: str
    word: str
    means: str = "known"
    name: str = ""
    new_name: str = ""
    days: str = ""

    @classmethod
    def submitted(cls, form: FormData) -> "Meaning":
        """Return what was sent."""
        texts = {name: typed(form.get(name)) for name in ("part", "means", "name", "new_name", "days")}
        word = form.get("word")
        return cls(**texts, word=word if isinstance(word, str) else "")

    def put(self, own: Words, words: Vocabulary) -> str:
        """Write the word's meaning into the bank's own words and return the name it now has."""
        form: Form
        known = words.channels if self.part == "channel" else words.needs
        name = COMPLAINT if self.means == "complaint" and not self.days else self.name
        if self.means == "new" or (self.means == "complaint" and self.days):
            called = self.new_name if self.means == "new" else " ".join(self.word.split())
            if self.part == "channel":
                form = ChannelForm(label_en=called, label_zh=called)
            else:
                form = NeedForm(label_en=called, label_zh=called, complaint=self.means == "complaint", days=self.days)
        elif name not in known:
            raise PolicyInvalid("vocabulary", "choose what it means")
        elif self.part == "channel":
            form = ChannelForm.of(name, words, own)
        else:
            form = NeedForm.of(name, words, own)
        spellings = "\n".join([*lines(form.spellings), " ".join(self.word.split())])
        return replace(form, spellings=spellings).put(own, words)


def put_truths(own: Words, texts: Mapping[str, str]) -> None:
    """Write the bank's words for true and false into its own words."""
    found = {truth: words for truth in TRUTHS if (words := lines(texts.get(truth, "")))}
    _set_or_drop(own, "truth", found)


def removed(own: Words, part: str, name: str) -> None:
    """Take away what is the bank's own of an entry: one that ships is as it ships again."""
    for one in ("reasons", "intents") if part == "reasons" else (part,):
        _set_or_drop(own, one, _without(own.get(one, {}), name))


def own_spellings(own: Words, parts: tuple[str, ...], name: str) -> list[str]:
    """Return the spellings that the bank gave a name."""
    entries = (own.get(part, {}).get(name, ()) for part in parts)
    return [word for one in entries for word in (one.get("spellings", ()) if isinstance(one, Mapping) else one)]


def field_of(form_part: str, name: str, error: PolicyInvalid) -> str:
    """Return the field of an entry's form that an error is about."""
    for part in ("reasons", "intents") if form_part == "reasons" else (form_part,):
        place, _, field = error.field.partition(f"vocabulary.{part}.{name}.")
        if not place and field:
            return "label_en" if field == "label" else field
    beginnings = {"gives ": "spellings", "is always a complaint": "complaint"}
    return next((field for start, field in beginnings.items() if error.reason.startswith(start)), "label_en")


def typed(value: object) -> str:
    """Return what was typed, without blanks around it and characters that no word has."""
    return value.replace("\r\n", "\n").replace("\0", "").strip() if isinstance(value, str) else ""


def lines(text: str) -> list[str]:
    """Return the words that stand on lines of their own, each once."""
    return list(dict.fromkeys(" ".join(line.split()) for line in text.splitlines() if not is_blank(line)))


def _check_is_new(form: Form, name: str, known: str | None) -> None:
    if not form.name and not fold(name):
        raise PolicyInvalid("vocabulary", "needs a name")
    if not form.name and known is not None:
        raise PolicyInvalid("vocabulary", f"is there already, as {known}")


def _label(form: Form, shipped: tuple[str, str]) -> dict[str, str]:
    texts = {"en": form.label_en or form.label_zh, "zh": form.label_zh or form.label_en}
    return {key: text for (key, text), before in zip(texts.items(), shipped, strict=True) if text and text != before}


def _part_of(own: Words, name: str) -> str:
    return "intents" if name in own.get("intents", {}) and name not in own.get("reasons", {}) else "reasons"


def _put(own: Words, part: str, name: str, said: tuple[Words, dict[str, str], list[str]], *, is_new: bool) -> None:
    entry, label, spellings = said
    entry = {**entry, **({"label": label} if label else {})}
    whole = {**entry, **({"spellings": spellings} if spellings or is_new else {})}
    _set_or_drop(own, part, {**own.get(part, {}), name: whole} if whole else _without(own.get(part, {}), name))


def _without(entries: Words, name: str) -> Words:
    return {key: entry for key, entry in entries.items() if key != name}


def _set_or_drop(own: Words, part: str, entries: Words) -> None:
    if entries:
        own[part] = entries
    else:
        own.pop(part, None)
