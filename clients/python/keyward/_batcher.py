from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from copy import copy
from typing import Callable, Optional, Union

from ._errors import KeywardError
from ._models import Verdict
from ._protocol import Question

MAX_ITEMS = 100
# A batch waits for the call in flight, but not long: one slow key holds up no others.
MAX_WAIT_SECONDS = 0.01

Result = Union[Verdict, KeywardError]
Send = Callable[[list[Question]], Awaitable[list[Result]]]


class Batcher:
    """A lone question goes at once; what arrives while a call is in flight goes in the next one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[tuple[Question, asyncio.Future[Result]]] = []
        self._timer: Optional[asyncio.TimerHandle] = None
        self._calls: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> Result:
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((question, result))
        if not self._calls or len(self._waiting) >= MAX_ITEMS:
            self._leave()
        elif self._timer is None:
            self._timer = loop.call_later(MAX_WAIT_SECONDS, self._leave)
        return await result

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        # Whose caller has gone away is not asked: nobody would learn what it has spent.
        batch = [entry for entry in self._waiting if not entry[1].done()]
        self._waiting = []
        if not batch:
            return
        call = asyncio.get_running_loop().create_task(self._run(batch))
        self._calls.add(call)
        call.add_done_callback(self._end)

    def _end(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not self._calls and self._waiting:
            self._leave()

    async def _run(self, batch: list[tuple[Question, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._send([question for question, _ in batch])
        except KeywardError as error:
            results = [copy(error) for _ in batch]
        except Exception as error:
            # Such as of a client that is closed: nobody waits for what will not come.
            for _, result in batch:
                if not result.done():
                    result.set_exception(error)
            return
        for (_, result), value in zip(batch, results):
            if not result.done():
                result.set_result(value)
