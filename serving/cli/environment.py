"""The settings of this run of `nbo`, read only when a command needs them: they cost a third of a second to import."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serving.settings import Settings


def current_settings() -> "Settings":
    """Return the settings of the environment."""
    from serving.settings import Settings

    return Settings()
