from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict


@dataclass(frozen=True)
class RateLimit:
    """How a rate limit of the key stands."""

    name: str
    limit: int
    window_seconds: int
    remaining: int
    reset_at: datetime | None
    exceeded: bool


@dataclass(frozen=True)
class Rotation:
    """How the presented string stands in a rotation of its key."""

    retiring: bool
    valid_until: datetime | None


@dataclass(frozen=True)
class Verdict:
    """A verdict on a presented key. Whatever is not known to be valid is not valid."""

    valid: bool
    code: str
    key_id: str | None
    workspace_id: str | None
    name: str | None
    owner_id: str | None
    scopes: tuple[str, ...] | None
    resources: tuple[str, ...] | None
    metadata: Mapping[str, Any] | None
    expires_at: datetime | None
    rotation: Rotation | None
    missing_scopes: tuple[str, ...] | None
    credits_remaining: int | None
    rate_limits: tuple[RateLimit, ...] | None
    stale: bool
    request_id: str | None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Verdict:
        code = answer["code"]
        if not isinstance(code, str) or not isinstance(answer["valid"], bool):
            raise TypeError("not a verdict")
        return cls(
            valid=answer["valid"] and code == "VALID",
            code=code,
            key_id=answer.get("keyId"),
            workspace_id=answer.get("workspaceId"),
            name=answer.get("name"),
            owner_id=answer.get("ownerId"),
            scopes=_texts(answer.get("scopes")),
            resources=_texts(answer.get("resources")),
            metadata=answer.get("metadata"),
            expires_at=_time(answer.get("expiresAt")),
            rotation=_rotation(answer.get("rotation")),
            missing_scopes=_texts(answer.get("missingScopes")),
            credits_remaining=(answer.get("credits") or {}).get("remaining"),
            rate_limits=_rate_limits(answer.get("rateLimits")),
            stale=bool(answer.get("stale")),
            request_id=answer.get("requestId"),
        )


class NewKey(TypedDict, total=False):
    """The body of a creation, as the API has it. Only the name is required."""

    name: str
    description: str
    workspaceId: str
    ownerId: str
    scopes: list[str]
    resources: list[str]
    allowedIps: list[str]
    prefix: str
    notBefore: str
    expiresAt: str
    expiresInSeconds: int
    rateLimits: list[dict[str, Any]]
    credits: dict[str, Any]
    metadata: dict[str, Any]
    enabled: bool


@dataclass(frozen=True)
class Key:
    """A key. Its string is there after a creation and a rotation, and only then."""

    id: str
    workspace_id: str
    name: str
    owner_id: str | None
    status: str
    scopes: tuple[str, ...]
    resources: tuple[str, ...] | None
    metadata: Mapping[str, Any]
    expires_at: datetime | None
    key: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Key:
        return cls(
            id=answer["id"],
            workspace_id=answer["workspaceId"],
            name=answer["name"],
            owner_id=answer["ownerId"],
            status=answer["status"],
            scopes=tuple(answer["scopes"]),
            resources=_texts(answer["resources"]),
            metadata=answer["metadata"],
            expires_at=_time(answer["expiresAt"]),
            key=answer.get("key"),
        )


def _texts(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)


def _time(text: str | None) -> datetime | None:
    # Before Python 3.11, fromisoformat takes no `Z`.
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


def _rotation(answer: Mapping[str, Any] | None) -> Rotation | None:
    if answer is None:
        return None
    return Rotation(retiring=answer["retiring"], valid_until=_time(answer["validUntil"]))


def _rate_limits(answer: list[Mapping[str, Any]] | None) -> tuple[RateLimit, ...] | None:
    if answer is None:
        return None
    return tuple(
        RateLimit(
            name=limit["name"],
            limit=limit["limit"],
            window_seconds=limit["windowSeconds"],
            remaining=limit["remaining"],
            reset_at=_time(limit["resetAt"]),
            exceeded=limit["exceeded"],
        )
        for limit in answer
    )
