"""The event log as one transaction sees it: the source of truth about customers, contacts and decisions."""

from sqlalchemy import func, select

from recsys.storage.account_log import AccountLog
from recsys.storage.audience_log import AudienceLog
from recsys.storage.baseline_log import BaselineLog
from recsys.storage.campaign_log import CampaignLog
from recsys.storage.campaign_unit_log import CampaignUnitLog
from recsys.storage.contact_log import ContactLog
from recsys.storage.customer_base import CustomerBaseLog
from recsys.storage.customer_log import CustomerLog
from recsys.storage.decision_samples import DecisionSamples
from recsys.storage.evidence_log import EvidenceLog
from recsys.storage.idempotency_log import IdempotencyLog
from recsys.storage.own_feature_log import OwnFeatureLog
from recsys.storage.schema import metadata
from recsys.storage.vocabulary_log import VocabularyLog


class EventLog(
    AccountLog,
    CustomerLog,
    ContactLog,
    DecisionSamples,
    EvidenceLog,
    AudienceLog,
    CustomerBaseLog,
    CampaignLog,
    CampaignUnitLog,
    BaselineLog,
    VocabularyLog,
    IdempotencyLog,
    OwnFeatureLog,
):
    """Every read and write of the log, bound to one transaction; `Database` makes it."""

    def own_names(self) -> frozenset[str]:
        """Return every name that means a feature of the bank's own, and so no attribute.

        Those in force, and those that were dropped, unless an attribute has taken the name since.
        """
        saved = self.own_features()
        in_force = saved.types.keys() if saved is not None else frozenset[str]()
        return frozenset(self.all_own_types().keys() - self.attribute_types().keys() | in_force)

    def counts(self) -> dict[str, int]:
        """Return how many rows each table holds."""
        return {
            name: self._connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in sorted(metadata.tables.items())
        }
