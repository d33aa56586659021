"""What pages call channels, reasons, kinds of offers, flags and purposes: by the vocabulary in force, never failing."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from recsys.domain.channel import Channel
from recsys.domain.offer import OfferKind
from recsys.domain.protection import FLAGS
from recsys.domain.vocabulary import Vocabulary
from serving.consoles.formats import name
from serving.consoles.wording import WORDING
from serving.wiring import Services


@dataclass(frozen=True)
class Called:
    """The names of one page in the reader's language; what nobody has named is called as it is written."""

    services: Services
    language: str

    @cached_property
    def words(self) -> Vocabulary:
        """The vocabulary in force, asked for by the first name that needs it."""
        with self.services.database.read() as log:
            return self.services.policy.current(log).words

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels in force by name."""
        return self.words.channels

    def channel(self, value: str) -> str:
        """Return what a channel is called."""
        known = self._channel(value)
        return self._in_language(known.label) if known else value

    def icon(self, value: str) -> str:
        """Return the name of a channel's picture."""
        known = self._channel(value)
        return known.icon if known else "contact"

    def need(self, value: str | None) -> str:
        """Return what a reason or an intent is called, "" for none."""
        known = self.words.needs.get(value or "")
        return self._in_language(known.label) if known else name(value, self.language)

    def kind(self, value: str) -> str:
        """Return what a kind of offer is called."""
        known = next((one for one in OfferKind if one == value), None)
        return self._in_language(known.label) if known else name(value, self.language)

    def flag(self, value: str) -> str:
        """Return what a flag is called."""
        return self._in_language(FLAGS[value].label) if value in FLAGS else name(value, self.language)

    def purpose(self, value: str) -> str:
        """Return what a consent is called."""
        texts = WORDING.get(f"{value}_consent")
        return self._in_language(texts) if texts else name(value, self.language)

    def subject(self, value: str) -> str:
        """Return what a flag or a consent is called."""
        return self.flag(value) if value in FLAGS else self.purpose(value)

    def _channel(self, value: str) -> Channel | None:
        return self.words.channels.get(self.words.channel(value) or value)

    def _in_language(self, texts: tuple[str, str]) -> str:
        text = texts[1 if self.language == "zh" else 0]
        return text[:1].upper() + text[1:]
