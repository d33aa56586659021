"""The key that signs what the service hands out: NBO_SECRET_KEY, else a random one kept below NBO_HOME."""

import contextlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from serving.settings import Settings

KEY_BYTES = 32


def secret_key(settings: Settings, purpose: str) -> bytes:
    """Return the key for one purpose; what it signs proves nothing where another purpose's key is asked for."""
    if settings.secret_key is not None:
        key = settings.secret_key.encode()
    else:
        path = settings.home / "secret.key"
        if not path.exists():
            _create(path)
        key = path.read_bytes()
    return hmac.digest(key, purpose.encode(), "sha256")


def _create(path: Path) -> None:
    """Write a new key that only its owner may read; the first of several workers wins, and none reads half a key."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.unlink(draft)
