"""What a middleware tells the client of each verdict; knows no framework."""

from __future__ import annotations

import json
import logging
import math
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address

from ._errors import KeywardError
from ._models import Verdict

log = logging.getLogger("keyward")

_BEARER = re.compile(r"Bearer +(\S+)", re.IGNORECASE)
# Keyward takes no key of more than 512 characters, so the rest of a longer one need not travel.
_MAX_KEY_LENGTH = 513
_MAX_USER_AGENT_LENGTH = 512
_MAX_SCOPES_LENGTH = 4096
# One line that is not blank, without what turns the direction of text.
_RESOURCE = re.compile(
    r"(?=.*\S)[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,256}"
)


@dataclass(frozen=True)
class _Denial:
    status: int
    detail: str
    error: str | None = None


def _unauthorized(detail: str) -> _Denial:
    return _Denial(401, detail, "invalid_token")


_DENIALS = {
    "KEY_MISSING": _Denial(401, "Send an API key: `Authorization: Bearer <key>`."),
    "KEY_AMBIGUOUS": _Denial(401, "Send one API key, not several."),
    "NOT_FOUND": _unauthorized("The API key is unknown."),
    "REVOKED": _unauthorized("The API key is revoked."),
    "DISABLED": _unauthorized("The API key is disabled."),
    "NOT_YET_VALID": _unauthorized("The API key is not valid yet."),
    "EXPIRED": _unauthorized("The API key has expired."),
    "WORKSPACE_SUSPENDED": _Denial(403, "The workspace of the API key is suspended."),
    "IP_NOT_ALLOWED": _Denial(403, "The API key may not be used from this address."),
    "INSUFFICIENT_SCOPE": _Denial(
        403, "The API key lacks a required scope.", "insufficient_scope"
    ),
    "RESOURCE_NOT_ALLOWED": _Denial(403, "The API key has no access to this resource."),
    "RATE_LIMITED": _Denial(429, "The API key has reached a rate limit."),
    "CREDITS_EXHAUSTED": _Denial(429, "The API key has no credits left."),
}
_UNKNOWN = _Denial(403, "The API key is not valid.")
_UNAVAILABLE = _Denial(503, "The API key cannot be verified at the moment.")


class Refused(Exception):
    """The answer to a client that is not let through."""

    def __init__(
        self, code: str, denial: _Denial, headers: dict[str, str], request_id: str | None
    ) -> None:
        super().__init__(code)
        self.status = denial.status
        self.headers = {**headers, "content-type": "application/problem+json; charset=utf-8"}
        problem = {
            "type": "about:blank",
            "title": HTTPStatus(denial.status).phrase,
            "status": denial.status,
            "code": code,
            "detail": denial.detail,
            "requestId": request_id,
        }
        if request_id is None:
            del problem["requestId"]
        self.content = json.dumps(problem).encode()


def presented_key(api_key: Iterable[str], authorization: Iterable[str]) -> str:
    """The key in the values of X-API-Key, else of Authorization, as /v1/authorize reads them."""
    for values, pattern in ((api_key, re.compile(r"(\S+)")), (authorization, _BEARER)):
        different = {value for value in values if value}
        if len(different) > 1:
            raise _refused("KEY_AMBIGUOUS")
        matches = (pattern.fullmatch(value.strip()) for value in different)
        for match in filter(None, matches):
            return match.group(1)[:_MAX_KEY_LENGTH]
    raise _refused("KEY_MISSING")


def client_address(host: str | None) -> str | None:
    """The address as the framework knows it; a Unix socket and a test client have none."""
    try:
        return str(ip_address(host or ""))
    except ValueError:
        return None


def client_user_agent(value: str | None) -> str | None:
    return value[:_MAX_USER_AGENT_LENGTH] if value else None


def require_possible(resource: str | None) -> None:
    """A client that makes up a resource which Keyward would not take has no access to it."""
    if resource is not None and not _RESOURCE.fullmatch(resource):
        raise _refused("RESOURCE_NOT_ALLOWED")


def require_valid(verdict: Verdict, cost: int | None) -> None:
    if not verdict.valid:
        raise _refused(verdict.code, verdict, 1 if cost is None else cost)


def unavailable(error: KeywardError) -> Refused:
    """Whatever went wrong between this service and Keyward is not the client's fault."""
    log.error("no verdict of Keyward: %s", error)
    return Refused("UNAVAILABLE", _UNAVAILABLE, {"retry-after": "1"}, error.request_id)


def verdict_headers(verdict: Verdict) -> dict[str, str]:
    """What a client learns of its limits and of the end of its key string."""
    headers = {}
    if verdict.rate_limits:
        headers["ratelimit-policy"] = ", ".join(
            f'"{limit.name}";q={limit.limit};w={limit.window_seconds}'
            for limit in verdict.rate_limits
        )
        headers["ratelimit"] = ", ".join(
            f'"{limit.name}";r={limit.remaining}'
            + (f";t={_seconds_until(limit.reset_at)}" if limit.reset_at else "")
            for limit in verdict.rate_limits
        )
    if verdict.valid and verdict.rotation and verdict.rotation.valid_until:
        headers["deprecation"] = f"@{int(time.time())}"
        headers["sunset"] = formatdate(verdict.rotation.valid_until.timestamp(), usegmt=True)
    return headers


def _refused(code: str, verdict: Verdict | None = None, cost: int = 1) -> Refused:
    denial = _DENIALS.get(code, _UNKNOWN)
    headers = verdict_headers(verdict) if verdict else {}
    challenge = _challenge(denial, verdict)
    if challenge:
        headers["www-authenticate"] = challenge
    retry_at = _retry_at(verdict, cost) if verdict else None
    if retry_at:
        headers["retry-after"] = str(_seconds_until(retry_at))
    return Refused(code, denial, headers, verdict.request_id if verdict else None)


def _challenge(denial: _Denial, verdict: Verdict | None) -> str | None:
    if denial.status != 401 and not denial.error:
        return None
    challenge = 'Bearer realm="keyward"'
    if denial.error:
        challenge += f', error="{denial.error}"'
    if denial.error == "insufficient_scope" and verdict:
        scopes = " ".join(verdict.missing_scopes or ())
        if len(scopes) > _MAX_SCOPES_LENGTH:
            scopes = scopes[: scopes.rindex(" ", 0, _MAX_SCOPES_LENGTH)]
        challenge += f', scope="{scopes}"'
    return challenge


def _retry_at(verdict: Verdict, cost: int) -> datetime | None:
    """When the same request may pass; None if waiting does not help, or is not known to."""
    exceeded = [limit for limit in verdict.rate_limits or () if limit.exceeded]
    resets = [limit.reset_at for limit in exceeded if limit.reset_at]
    ends = [verdict.expires_at, verdict.rotation.valid_until if verdict.rotation else None]
    credits = verdict.credits_remaining
    if (
        verdict.code != "RATE_LIMITED"
        or not resets
        or any(cost > limit.limit for limit in exceeded)
        or (credits is not None and credits < cost)
        or any(end is not None and end <= max(resets) for end in ends)
    ):
        return None
    return max(resets)


def _seconds_until(moment: datetime) -> int:
    return max(1, math.ceil(moment.timestamp() - time.time()))
