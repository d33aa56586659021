"""Words of other systems in the event log: those nobody knows, and what a changed vocabulary makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Table, and_, delete, insert, select, update

from recsys.domain.vocabulary import COMPLAINT, Vocabulary
from recsys.storage.bound_log import BoundLog
from recsys.storage.schema import contact_events, contacts, interactions, outcomes, unknown_words

CHANNEL, REASON = "channel", "reason"
_CHANNELS: tuple[Column[str | None], ...] = (contacts.c.channel, interactions.c.channel, outcomes.c.channel)


_HEARD = select(contact_events.c.contact_id).where(contact_events.c.intent == COMPLAINT)


@dataclass(frozen=True, slots=True)
class UnknownWord:
    """A word that stands for nothing: its part (channel or reason), and how often the latest import had it."""

    part: str
    word: str
    times: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Reread:
    """What a changed vocabulary made of the log: rows renamed, complaints found, and those that are none any more."""

    renamed: int
    complaints: int
    no_complaints: int


class VocabularyLog(BoundLog):
    """The vocabulary's part of the log."""

    def unknown_words(self) -> list[UnknownWord]:
        """Return the words that nobody knows, the most frequent first."""
        order = unknown_words.c.times.desc(), unknown_words.c.part, unknown_words.c.word
        return [UnknownWord(*row) for row in self._connection.execute(select(unknown_words).order_by(*order))]

    def note_unknown_words(self, times: Mapping[tuple[str, str], int], at: datetime) -> None:
        """Note how often each (part, word) that nobody knows came in, in place of what was noted of it before."""
        for (part, word), count in times.items():
            self._connection.execute(delete(unknown_words).where(_is(part, word)))
            row = {"part": part, "word": word, "times": count, "seen_at": at}
            self._connection.execute(insert(unknown_words), row)

    def reread_words(self, words: Vocabulary) -> Reread:
        """Say anew, by a changed vocabulary, what the log's channels and reasons stand for.

        A word that has a name now gets it wherever it stands, and leaves the unknown words. Which contacts are
        complaints is told anew from every reason there is; one that was heard as a complaint stays one.
        """
        renamed = 0
        for column in _CHANNELS:
            for word in self._values(column):
                if word not in words.channels and (name := words.channel(word)) is not None:
                    renamed += self._rename(column, word, name)
        complaints = no_complaints = 0
        for word in self._values(contacts.c.reason):
            if (name := words.need(word)) != word:
                renamed += self._rename(contacts.c.reason, word, name)
            is_complaint = words.is_complaint(name)
            change = update(contacts).where(contacts.c.reason == name, contacts.c.is_complaint.is_(not is_complaint))
            if is_complaint:
                complaints += self._connection.execute(change.values(is_complaint=True)).rowcount
            else:
                heard = contacts.c.contact_id.in_(_HEARD)
                no_complaints += self._connection.execute(change.where(~heard).values(is_complaint=False)).rowcount
        for one in self.unknown_words():
            known = words.channel(one.word) if one.part == CHANNEL else words.is_known_need(one.word)
            if known:
                self._connection.execute(delete(unknown_words).where(_is(one.part, one.word)))
        return Reread(renamed, complaints, no_complaints)

    def _values(self, column: "Column[str | None]") -> list[str]:
        found = self._connection.execute(select(column).where(column.is_not(None)).distinct()).scalars()
        return [word for word in found if word is not None]

    def _rename(self, column: "Column[str | None]", word: str, name: str) -> int:
        table = column.table
        assert isinstance(table, Table)
        change = update(table).where(column == word).values({column.name: name})
        return self._connection.execute(change).rowcount


def _is(part: str, word: str) -> ColumnElement[bool]:
    return and_(unknown_words.c.part == part, unknown_words.c.word == word)
