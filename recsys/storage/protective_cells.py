"""The cells of an import that protect somebody: flags, consents, and words that may be a complaint."""

from collections.abc import Mapping

CUSTOMER_FLAGS = ("vulnerable", "arrears", "do_not_contact")
CONSENT_COLUMNS = {"consent_marketing": "marketing", "consent_profiling": "profiling", "consent_partner": "partner"}
PROTECTIVE_COLUMNS = (*CUSTOMER_FLAGS, *CONSENT_COLUMNS)
_TRUTHS: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}


def truth(text: str) -> bool | None:
    """Return what a yes-or-no cell says, None when it is empty; raises ValueError for another word."""
    if not text:
        return None
    try:
        return _TRUTHS[text.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None
