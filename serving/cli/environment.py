"""The settings of this run of `nbo`, read only when a command needs them: they cost a third of a second to import."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.settings import Settings


def current_settings() -> "Settings":
    """Return the settings of the environment; SettingsInvalid names those that cannot be used."""
    from pydantic import ValidationError

    from recsys.domain.errors import SettingsInvalid
    from serving.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"NBO_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise SettingsInvalid(f"{wrong}. See docs/settings.md.") from error
