"""The roles that people and programs can have."""

from enum import StrEnum


class Role(StrEnum):
    """Who may do what; see docs/settings.md."""

    AGENT = "agent"
    MARKETER = "marketer"
    SCIENTIST = "scientist"
    APPROVER = "approver"
    AUDITOR = "auditor"
    SERVICE = "service"
