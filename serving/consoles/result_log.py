"""A campaign's decision log in words: who did what, and why the weights changed."""

from experiments.campaign import Status
from recsys.storage.campaign_log import SavedCampaign, SavedChange, SavedEpoch
from serving.campaigns.service import FIRST_REASON, LEARNED
from serving.consoles.result_view import Words
from serving.consoles.wording import Say

_REASONS = {FIRST_REASON: "epoch_launch", LEARNED: "epoch_learned", "by hand": "epoch_by_hand"}


def line_of(change: SavedChange, words: Words) -> str:
    """Return what was done, in a few words."""
    if change.what == "status":
        is_again = (change.before, change.after) == (Status.PAUSED, Status.RUNNING)
        return words.say("log_resumed" if is_again else f"log_{change.after}")
    return words.say({"created": "log_created", "plan": "log_plan"}.get(change.what, "log_weights"))


def epoch_of(change: SavedChange, campaign: SavedCampaign) -> SavedEpoch | None:
    """Return the epoch that a change of weights opened."""
    return next((one for one in campaign.epochs if one.began_at == change.changed_at), None)


def reason_of(epoch: SavedEpoch, say: Say) -> str:
    """Return why an epoch was opened: in words where the service did, else as the person wrote it."""
    return say(_REASONS[epoch.reason]) if epoch.reason in _REASONS else epoch.reason
