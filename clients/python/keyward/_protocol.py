"""What both clients say to Keyward and how they read its answers; nothing here waits."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Callable, TypeVar
from urllib.parse import quote

import httpx

from ._errors import BAD_ANSWER, NO_ANSWER, UNREACHABLE, KeywardError
from ._models import Key, NewKey, Verdict

T = TypeVar("T")

TIMEOUT_SECONDS = 2.0
ATTEMPTS = 3
# Keyward keeps idle connections for 72 seconds: none is used that it is about to close.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=100, keepalive_expiry=60)

VERIFY = "/v1/verify"
VERIFY_BATCH = "/v1/verify/batch"

# Each of these counts and may spend, whatever its method.
_VERIFICATION = re.compile(r"/v1/(verify|introspect|authorize)\b")

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def client_options(url: str | None, management_key: str | None, timeout: float) -> dict[str, Any]:
    address = url or os.environ.get("KEYWARD_URL") or ""
    key = management_key or os.environ.get("KEYWARD_MANAGEMENT_KEY") or ""
    if not re.match(r"https?://", address):
        raise ValueError("url, or KEYWARD_URL, must be the http(s) address of Keyward")
    # Checked here, because an error of the HTTP library would quote it.
    if not re.fullmatch(r"[\x21-\x7e]+", key.strip()):
        raise ValueError("management_key, or KEYWARD_MANAGEMENT_KEY, must be visible ASCII")
    return {
        "base_url": address,
        "headers": {"authorization": f"Bearer {key.strip()}"},
        "timeout": timeout,
        "limits": LIMITS,
        # Questions contain keys: they go to Keyward, whatever proxy the environment names.
        "trust_env": False,
        "follow_redirects": False,
    }


@dataclass(frozen=True)
class Question:
    """One verification; its body contains the key."""

    body: dict[str, Any] = field(repr=False)

    @property
    def harmless(self) -> bool:
        """Whether it may be asked twice: it spends nothing."""
        return bool(self.body.get("cost") == 0)


def question(
    key: str,
    *,
    required_scopes: Iterable[str] = (),
    required_any_scope: Iterable[str] | None = None,
    resource: str | None = None,
    ip: str | None = None,
    user_agent: str | None = None,
    cost: int | None = None,
    workspace_id: str | None = None,
) -> Question:
    body = {
        "key": key,
        "requiredScopes": scope_list(required_scopes) or None,
        # An empty list stays, and is refused: none of no scopes is no permission.
        "requiredAnyScope": None if required_any_scope is None else scope_list(required_any_scope),
        "resource": resource,
        "ip": ip,
        "userAgent": user_agent,
        "cost": cost,
        "workspaceId": workspace_id,
    }
    body = {name: value for name, value in body.items() if value is not None}
    _require_writable(body)
    return Question(body)


def _require_writable(body: dict[str, Any]) -> None:
    """Before it is part of a batch, and without the library's error, which would quote the key."""
    try:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        name = type(error).__name__
    else:
        return
    raise ValueError(f"the question cannot be written as JSON ({name})")


def scope_list(scopes: Iterable[str]) -> list[str]:
    if isinstance(scopes, str):
        raise TypeError("scopes are a list of strings, not one string")
    return list(scopes)


@dataclass(frozen=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    body: Any = field(default=None, repr=False)
    idempotency_key: str | None = None

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError("path must begin with /")

    @property
    def harmless(self) -> bool:
        return self.method.upper() == "GET" and not _VERIFICATION.search(self.path)

    @property
    def headers(self) -> dict[str, str]:
        return {"idempotency-key": self.idempotency_key} if self.idempotency_key else {}


def create_key(new: NewKey, idempotency_key: str | None) -> Call:
    return Call("POST", "/v1/keys", new, idempotency_key)


def get_key(key_id: str) -> Call:
    return Call("GET", _path(key_id))


def revoke_key(key_id: str, reason: str | None) -> Call:
    return Call("POST", f"{_path(key_id)}/revoke", {} if reason is None else {"reason": reason})


def rotate_key(key_id: str, grace_seconds: int, supersede: bool) -> Call:
    body = {"graceSeconds": grace_seconds, **({"supersede": True} if supersede else {})}
    return Call("POST", f"{_path(key_id)}/rotate", body)


def _path(key_id: str) -> str:
    return f"/v1/keys/{quote(key_id, safe='')}"


def no_answer(error: Exception) -> KeywardError:
    """Of the HTTP library's error only the name: it may hold the request, and so the key."""
    code = UNREACHABLE if isinstance(error, _NOT_SENT) else NO_ANSWER
    return KeywardError(code, detail=type(error).__name__)


def read_body(response: httpx.Response) -> Any:
    """The body of a success; raises what else was answered."""
    if not response.is_success:
        raise _problem(response)
    if not response.content:
        return None
    return _attempt(response.json)


def read_verdict(answer: Any) -> Verdict:
    return _attempt(lambda: Verdict.read(answer))


def read_key(answer: Any) -> Key:
    return _attempt(lambda: Key.read(answer))


def read_results(answer: Any, asked: int) -> list[Verdict | KeywardError]:
    results = _attempt(lambda: [_read_item(item) for item in answer["results"]])
    if len(results) != asked:
        raise KeywardError(BAD_ANSWER, detail="the answer has another number of results")
    return results


def _read_item(item: Any) -> Verdict | KeywardError:
    """A verdict, or why this item has none; the statuses are those of a single verification."""
    verdict = Verdict.read(item)
    status = {"INVALID_REQUEST": 400, "KEY_WITH_SCHEME": 400, "UNAVAILABLE": 503}.get(verdict.code)
    if status is None:
        return verdict
    errors = item.get("errors") or []
    detail = "; ".join(f"{error['pointer']}: {error['detail']}" for error in errors)
    return KeywardError(
        verdict.code, status=status, request_id=verdict.request_id, detail=detail, errors=errors
    )


def _attempt(read: Callable[[], T]) -> T:
    try:
        return read()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        name = type(error).__name__
    raise KeywardError(BAD_ANSWER, detail=f"the answer cannot be read ({name})")


def _problem(response: httpx.Response) -> KeywardError:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        # A proxy's own page: nobody knows what became of the question.
        body = {"code": BAD_ANSWER, "detail": "the answer is not of Keyward"}
    return KeywardError(
        body["code"],
        status=response.status_code,
        request_id=body.get("requestId") or response.headers.get("x-request-id"),
        detail=str(body.get("detail") or ""),
        errors=body["errors"] if isinstance(body.get("errors"), list) else None,
        retry_after=_seconds(response.headers.get("retry-after")),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdecimal() else None


def retry_pause(
    attempt: int, error: KeywardError, *, harmless: bool, deadline: float
) -> float | None:
    """Seconds to wait after a failed attempt; None if another may spend twice or begin too late."""
    pause = 0.1 * attempt if error.retry_after is None else error.retry_after
    is_late = time.monotonic() + pause >= deadline
    if is_late or attempt == ATTEMPTS or not error.may_repeat(harmless=harmless):
        return None
    return pause
