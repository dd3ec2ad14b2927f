from __future__ import annotations

from typing import Any

NO_ANSWER = "NO_ANSWER"
"""The code of an error without an answer of Keyward: no connection, a time-out, a cut answer."""

# Refused before anything was verified: asking again cannot spend twice.
_NOTHING_SPENT = {"TOO_MANY_REQUESTS", "OVERLOADED"}


class KeywardError(Exception):
    """There is no verdict, or a management call failed. Never contains a key."""

    def __init__(
        self,
        code: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        detail: str = "",
        errors: list[Any] | None = None,
        retry_after: float | None = None,
        sent: bool = True,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.request_id = request_id
        self.detail = detail
        self.errors = errors or []
        self.retry_after = retry_after
        self.sent = sent

    def __str__(self) -> str:
        status = "" if self.status is None else f"{self.status} "
        detail = f": {self.detail}" if self.detail else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{status}{self.code}{detail}{request}"

    def may_repeat(self, *, harmless: bool) -> bool:
        """Whether to ask again. What is not known to be unspent is repeated only if harmless."""
        if not self.sent or self.code in _NOTHING_SPENT:
            return True
        return harmless and (self.status is None or self.status >= 500)
