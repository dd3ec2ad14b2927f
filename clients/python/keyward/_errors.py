from __future__ import annotations

import json
import re
from typing import Any

UNREACHABLE = "UNREACHABLE"
"""No connection: the question was surely not asked."""
NO_ANSWER = "NO_ANSWER"
"""A time-out or a cut answer: the question may have been asked."""
BAD_ANSWER = "BAD_ANSWER"
"""What answered is not Keyward."""

# Not asked, or refused before anything was verified: asking again cannot spend twice. With another
# status, such a code is of a proxy, which may have passed the question on.
_NOTHING_SPENT = {(UNREACHABLE, None), ("TOO_MANY_REQUESTS", 429), ("OVERLOADED", 503)}
_PASSING = {502, 503, 504}

# Keyward's format of key strings, management keys included.
_KEYS = re.compile(r"[a-z][a-z0-9_]{0,23}_[0-9A-Za-z]{65}")


class KeywardError(Exception):
    """There is no verdict, or a management call failed. Never contains a key."""

    def __init__(
        self,
        code: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        detail: str = "",
        errors: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.detail = _redacted(detail)
        self.errors = _field_errors(errors)
        self.retry_after = retry_after

    def __str__(self) -> str:
        status = "" if self.status is None else f"{self.status} "
        detail = f": {self.detail}" if self.detail else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{status}{self.code}{detail}{request}"

    def may_repeat(self, *, harmless: bool) -> bool:
        """Whether to ask again. What is not known to be unspent is repeated only if harmless."""
        if (self.code, self.status) in _NOTHING_SPENT:
            return True
        lost = self.status is None and self.code == NO_ANSWER
        return harmless and (lost or self.status in _PASSING)


def _field_errors(errors: Any) -> list[dict[str, str]]:
    listed = errors if isinstance(errors, list) else []
    return [
        {name: _redacted(str(text)) for name, text in error.items()}
        for error in listed
        if isinstance(error, dict)
    ]


def _redacted(text: str) -> str:
    return _KEYS.sub("[redacted]", text)
