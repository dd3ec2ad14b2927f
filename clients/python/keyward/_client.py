from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import count
from typing import Any

import httpx

from . import _protocol as protocol
from ._errors import KeywardError
from ._models import Key, NewKey, Verdict


class Keyward:
    """Asks Keyward, one call for each question. Threads may share it.

    `timeout` is for connecting, for sending and for each wait for bytes, in seconds; no attempt
    begins after it.
    """

    def __init__(
        self,
        url: str | None = None,
        management_key: str | None = None,
        *,
        timeout: float = protocol.TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._timeout = timeout
        options = protocol.client_options(url, management_key, timeout)
        self._http = httpx.Client(transport=transport, **options)

    def __enter__(self) -> Keyward:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def verify(
        self,
        key: str,
        *,
        required_scopes: Iterable[str] = (),
        required_any_scope: Iterable[str] | None = None,
        resource: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        cost: int | None = None,
        workspace_id: str | None = None,
    ) -> Verdict:
        """The verdict on a presented key. Raises KeywardError if there is none."""
        question = protocol.question(
            key,
            required_scopes=required_scopes,
            required_any_scope=required_any_scope,
            resource=resource,
            ip=ip,
            user_agent=user_agent,
            cost=cost,
            workspace_id=workspace_id,
        )
        call = protocol.Call("POST", protocol.VERIFY, question.body)
        return protocol.read_verdict(self._repeat(call, harmless=question.harmless))

    def create_key(self, new: NewKey, *, idempotency_key: str | None = None) -> Key:
        return protocol.read_key(self._manage(protocol.create_key(new, idempotency_key)))

    def get_key(self, key_id: str) -> Key:
        return protocol.read_key(self._manage(protocol.get_key(key_id)))

    def revoke_key(self, key_id: str, *, reason: str | None = None) -> None:
        """When it returns, the key is refused everywhere."""
        self._manage(protocol.revoke_key(key_id, reason))

    def rotate_key(self, key_id: str, *, grace_seconds: int, supersede: bool = False) -> Key:
        """Gives the key a new string; the old one is valid until the grace period ends."""
        call = protocol.rotate_key(key_id, grace_seconds, supersede)
        return protocol.read_key(self._manage(call))

    def request(
        self, method: str, path: str, body: Any = None, *, idempotency_key: str | None = None
    ) -> Any:
        """Any other call: the body of its answer, None if it has none."""
        return self._manage(protocol.Call(method, path, body, idempotency_key))

    def _manage(self, call: protocol.Call) -> Any:
        return self._repeat(call, harmless=call.harmless)

    def _repeat(self, call: protocol.Call, *, harmless: bool) -> Any:
        deadline = time.monotonic() + self._timeout
        for attempt in count(1):
            try:
                return self._exchange(call, deadline - time.monotonic())
            except KeywardError as failed:
                error = failed
            pause = protocol.retry_pause(attempt, error, harmless=harmless, deadline=deadline)
            if pause is None:
                break
            time.sleep(pause)
        raise error

    def _exchange(self, call: protocol.Call, timeout: float) -> Any:
        try:
            response = self._http.request(
                call.method, call.path, json=call.body, headers=call.headers, timeout=timeout
            )
        except httpx.RequestError as error:
            failed = protocol.no_answer(error)
        else:
            return protocol.read_body(response)
        # Raised outside of the handler, so that no trace leads to the request and its key.
        raise failed
