"""Tests against the Keyward at KEYWARD_URL; KEYWARD_MANAGEMENT_KEY may do everything there."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from keyward import Key, Keyward

from .proxy import Proxy


@pytest.fixture(scope="session")
def admin() -> Iterator[Keyward]:
    if not os.environ.get("KEYWARD_URL"):
        pytest.skip("KEYWARD_URL is not set: npm run test:client-python starts a Keyward")
    with Keyward(timeout=10) as client:
        yield client


@pytest.fixture
def new_key(admin: Keyward) -> Callable[..., Key]:
    def create(**fields: Any) -> Key:
        return admin.create_key({"name": "test", "ownerId": "customer_42", **fields})

    return create


@pytest.fixture
def remaining(admin: Keyward) -> Callable[[Key], int]:
    """The credits that are left, without spending any."""

    def look(key: Key) -> int:
        left = admin.verify(key.key or "", cost=0).credits_remaining
        assert left is not None
        return left

    return look


@pytest.fixture
def proxy(admin: Keyward) -> Iterator[Proxy]:
    with Proxy(os.environ["KEYWARD_URL"]) as running:
        yield running
