"""Client of Keyward: verify API keys, and manage them."""

from ._async_client import AsyncKeyward
from ._client import Keyward
from ._errors import KeywardError
from ._models import Key, NewKey, RateLimit, Rotation, Verdict

__all__ = [
    "AsyncKeyward",
    "Key",
    "Keyward",
    "KeywardError",
    "NewKey",
    "RateLimit",
    "Rotation",
    "Verdict",
]
