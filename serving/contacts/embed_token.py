"""The signed token that opens one contact's suggestions in a frame of the bank's own desktop, for a few hours."""

from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from recsys.domain.errors import EmbedTokenRefused
from serving.secret_key import secret_key
from serving.settings import Settings

AUDIENCE = "nbo-embed"
ALGORITHM = "HS256"


@dataclass(frozen=True, slots=True)
class EmbedGrant:
    """What a token allows: one contact, to one agent, until a moment; `language` None is the browser's."""

    contact_id: str
    agent_id: str
    expires_at: datetime
    language: str | None = None


def sign(grant: EmbedGrant, settings: Settings) -> str:
    """Return the grant as a JSON Web Token (RFC 7519), signed with HMAC-SHA256."""
    claims = {
        "aud": AUDIENCE,
        "sub": grant.agent_id,
        "contact": grant.contact_id,
        "language": grant.language,
        "exp": int(grant.expires_at.timestamp()),
    }
    return jwt.encode(claims, secret_key(settings, AUDIENCE), ALGORITHM)


def read(token: str, settings: Settings, now: datetime) -> EmbedGrant:
    """Return what the token grants; EmbedTokenRefused when we did not sign it or its time is over."""
    try:
        claims = jwt.decode(
            token,
            secret_key(settings, AUDIENCE),
            [ALGORITHM],
            {"require": ["aud", "sub", "exp", "contact"], "verify_exp": False},
            audience=AUDIENCE,
        )
    except jwt.InvalidTokenError as error:
        raise EmbedTokenRefused from error
    expires_at = datetime.fromtimestamp(claims["exp"], UTC)
    if now >= expires_at:
        raise EmbedTokenRefused
    return EmbedGrant(claims["contact"], claims["sub"], expires_at, claims.get("language"))
