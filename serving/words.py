"""Words that come in over HTTP and from pages, by the vocabulary in force."""

from recsys.domain.errors import ChannelUnknown
from recsys.domain.vocabulary import Vocabulary
from recsys.domain.words import is_blank


def channel_named(text: str, words: Vocabulary) -> str:
    """Return the name of the channel that the text stands for; raises `ChannelUnknown`."""
    name = words.channel(text)
    if name is None:
        raise ChannelUnknown(list(words.channels), words.nearest_channel(text))
    return name


def need_named(text: str | None, words: Vocabulary) -> str | None:
    """Return the name of the reason or intent that the text stands for, None for an empty one."""
    return None if text is None or is_blank(text) else words.need(text)
