"""Every text of the consoles in English and Chinese, side by side, so that neither can be missing."""

from collections.abc import Callable

from serving.consoles.wording.agent import AGENT
from serving.consoles.wording.campaigns import CAMPAIGNS
from serving.consoles.wording.catalogue import CATALOGUE
from serving.consoles.wording.decisions import DECISIONS
from serving.consoles.wording.frame import FRAME
from serving.consoles.wording.monitoring import MONITORING
from serving.consoles.wording.results import RESULTS
from serving.consoles.wording.rules import RULES
from serving.consoles.wording.science import SCIENCE
from serving.consoles.wording.sign_in import SIGN_IN
from serving.consoles.wording.vocabulary import VOCABULARY
from serving.consoles.wording.wizard import WIZARD

PAGES = (
    FRAME,
    AGENT,
    CAMPAIGNS,
    WIZARD,
    RULES,
    RESULTS,
    CATALOGUE,
    SCIENCE,
    MONITORING,
    DECISIONS,
    SIGN_IN,
    VOCABULARY,
)
WORDING: dict[str, tuple[str, str]] = {key: texts for page in PAGES for key, texts in page.items()}
"""A text used by several pages stands in the frame's; a key stands once (tested)."""

Say = Callable[..., str]
"""Called with a key and the values of its placeholders."""


def speaker(language: str) -> Say:
    """Return the function that says any text in `language` ("zh", or else English)."""
    place = 1 if language == "zh" else 0

    def say(key: str, **values: object) -> str:
        return WORDING[key][place].format(**values)

    return say
