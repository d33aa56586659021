"""Every setting of the service, read from the environment with the prefix NBO_; unset means the embedded default."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from recsys.domain.calendar import BankCalendar

_ORIGIN = re.compile(r"https://(\*\.)?[a-z0-9.-]+(:\d+)?|http://(localhost|127\.0\.0\.1)(:\d+)?")


class Settings(BaseSettings):
    """Where the state lives and how the service behaves; see docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="NBO_", extra="ignore")

    home: Path = Path("var")
    database_url: str | None = None
    redis_url: str | None = None
    mlflow_tracking_uri: str | None = None
    mlflow_ui_url: str | None = None
    offline_path: Path | None = None
    features: Path | None = None
    secret_key: str | None = None
    auth: Literal["demo", "local", "oidc"] = "demo"
    decision_deadline_ms: int = Field(default=250, gt=0)
    evidence_seconds: float = Field(default=5.0, gt=0)
    embed_ancestors: str = "'none'"
    time_zone: str = "UTC"
    spark_master: str = "local[*]"
    spark_properties: dict[str, str] = Field(default_factory=dict)
    spark_offline_address: str | None = None

    @field_validator("time_zone")
    @classmethod
    def _names_a_zone(cls, value: str) -> str:
        return BankCalendar(value).zone

    @field_validator("embed_ancestors")
    @classmethod
    def _names_sites(cls, value: str) -> str:
        sites = value.split()
        if sites != ["'none'"] and not all(site == "'self'" or _ORIGIN.fullmatch(site) for site in sites):
            raise ValueError("use 'none', or 'self' and origins such as https://crm.bank.example, with spaces between")
        return " ".join(sites) or "'none'"

    @property
    def calendar(self) -> BankCalendar:
        """The bank's days."""
        return BankCalendar(self.time_zone)

    @property
    def event_log_url(self) -> str:
        """SQLAlchemy address of the event log."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'nbo.db'}"

    @property
    def tracking_uri(self) -> str:
        """Address of the MLflow tracking server or its SQLite file."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.absolute() / 'mlflow' / 'mlflow.db'}"

    @property
    def offline(self) -> Path:
        """Folder of the exported events and the feature tables."""
        return (self.offline_path or self.home / "offline").absolute()

    @property
    def events(self) -> Path:
        """Folder of the exported events."""
        return self.offline / "events"

    @property
    def bundles(self) -> Path:
        """Folder of the model bundles this machine has downloaded and checked."""
        return self.home.absolute() / "bundles"
