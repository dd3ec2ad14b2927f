from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable
from itertools import count
from typing import Any, Callable, TypeVar

import httpx

from . import _protocol as protocol
from ._batcher import Batcher, Result
from ._errors import NO_ANSWER, KeywardError
from ._models import Key, NewKey, Verdict

T = TypeVar("T")


class AsyncKeyward:
    """Asks Keyward, for asyncio. Questions that arrive together share a call.

    `timeout` bounds the whole of a call, attempts and pauses included, in seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        management_key: str | None = None,
        *,
        timeout: float = protocol.TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = timeout
        options = protocol.client_options(url, management_key, timeout)
        self._http = httpx.AsyncClient(transport=transport, **options)
        self._batcher = Batcher(self._send)

    async def __aenter__(self) -> AsyncKeyward:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def verify(
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
        return await self._repeat(lambda: self._ask(question), harmless=question.harmless)

    async def create_key(self, new: NewKey, *, idempotency_key: str | None = None) -> Key:
        return protocol.read_key(await self._manage(protocol.create_key(new, idempotency_key)))

    async def get_key(self, key_id: str) -> Key:
        return protocol.read_key(await self._manage(protocol.get_key(key_id)))

    async def revoke_key(self, key_id: str, *, reason: str | None = None) -> None:
        """When it returns, the key is refused everywhere."""
        await self._manage(protocol.revoke_key(key_id, reason))

    async def rotate_key(self, key_id: str, *, grace_seconds: int, supersede: bool = False) -> Key:
        """Gives the key a new string; the old one is valid until the grace period ends."""
        call = protocol.rotate_key(key_id, grace_seconds, supersede)
        return protocol.read_key(await self._manage(call))

    async def request(
        self, method: str, path: str, body: Any = None, *, idempotency_key: str | None = None
    ) -> Any:
        """Any other call: the body of its answer, None if it has none."""
        return await self._manage(protocol.Call(method, path, body, idempotency_key))

    async def _manage(self, call: protocol.Call) -> Any:
        return await self._repeat(lambda: self._exchange(call), harmless=call.harmless)

    async def _ask(self, question: protocol.Question) -> Verdict:
        result = await self._batcher.ask(question)
        if isinstance(result, KeywardError):
            raise result
        return result

    async def _send(self, questions: list[protocol.Question]) -> list[Result]:
        if len(questions) == 1:
            return [await self._send_alone(questions[0])]
        body = {"requests": [question.body for question in questions]}
        try:
            answer = await self._exchange(protocol.Call("POST", protocol.VERIFY_BATCH, body))
        except KeywardError as error:
            if error.status not in (400, 413):
                raise
        else:
            return protocol.read_results(answer, len(questions))
        # Too large, or more items than the management key may send: nothing was verified.
        return list(await asyncio.gather(*map(self._send_alone, questions)))

    async def _send_alone(self, question: protocol.Question) -> Result:
        call = protocol.Call("POST", protocol.VERIFY, question.body)
        try:
            return protocol.read_verdict(await self._exchange(call))
        except KeywardError as error:
            return error

    async def _repeat(self, ask: Callable[[], Awaitable[T]], *, harmless: bool) -> T:
        deadline = time.monotonic() + self._timeout
        for attempt in count(1):
            try:
                return await asyncio.wait_for(ask(), deadline - time.monotonic())
            except asyncio.TimeoutError:
                error = KeywardError(NO_ANSWER, detail="timeout")
            except KeywardError as failed:
                error = failed
            pause = protocol.retry_pause(attempt, error, harmless=harmless, deadline=deadline)
            if pause is None:
                break
            await asyncio.sleep(pause)
        raise error

    async def _exchange(self, call: protocol.Call) -> Any:
        request = self._http.request(call.method, call.path, json=call.body, headers=call.headers)
        try:
            response = await asyncio.wait_for(request, self._timeout)
        except (httpx.RequestError, asyncio.TimeoutError) as error:
            failed = protocol.no_answer(error)
        else:
            return protocol.read_body(response)
        # Raised outside of the handler, so that no trace leads to the request and its key.
        raise failed
