"""Keyward for FastAPI: `install` once, then `Depends(require_key(scopes=[...]))`."""

from collections.abc import Iterable
from typing import Any, Callable, Optional

from fastapi import Depends, FastAPI, Request, Response
from fastapi.security import HTTPBearer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import _refusals as refusals
from ._async_client import AsyncKeyward
from ._errors import KeywardError
from ._models import Verdict
from ._protocol import scope_list

__all__ = ["install", "require_key"]

_SCOPE = "keyward"
# Shows the scheme in the OpenAPI document; the header itself is read below.
_documented = HTTPBearer(scheme_name="API key", auto_error=False)


def install(app: FastAPI, client: AsyncKeyward) -> None:
    """Gives the app its client, and refusals and limits their place in its answers."""
    app.add_middleware(_Middleware, client=client)
    app.add_exception_handler(refusals.Refused, _answer)


def require_key(
    *,
    scopes: Iterable[str] = (),
    any_scope: Optional[Iterable[str]] = None,
    resource: Optional[Callable[[Request], str]] = None,
    cost: Optional[int] = None,
    ip: Optional[Callable[[Request], Optional[str]]] = None,
    workspace_id: Optional[str] = None,
) -> Callable[..., Any]:
    """A dependency that lets valid keys through, and gives their verdict.

    `ip` tells the client's address where the server is behind a proxy that it does not know of;
    by default it is `request.client`.
    """
    required = scope_list(scopes)
    any_of = None if any_scope is None else scope_list(any_scope)

    async def keyward_key(request: Request, _: Any = Depends(_documented)) -> Verdict:
        installed: Optional[_Installed] = request.scope.get(_SCOPE)
        if installed is None:
            raise RuntimeError("call keyward.fastapi.install(app, client) first")
        key = refusals.presented_key(
            request.headers.getlist("x-api-key"), request.headers.getlist("authorization")
        )
        host = ip(request) if ip else request.client.host if request.client else None
        touched = resource(request) if resource else None
        refusals.require_possible(touched)
        try:
            verdict = await installed.client.verify(
                key,
                required_scopes=required,
                required_any_scope=any_of,
                resource=touched,
                ip=refusals.client_address(host),
                user_agent=refusals.client_user_agent(request.headers.get("user-agent")),
                cost=cost,
                workspace_id=workspace_id,
            )
        except KeywardError as error:
            raise refusals.unavailable(error) from None
        refusals.require_valid(verdict, cost)
        installed.headers.update(refusals.verdict_headers(verdict))
        return verdict

    return keyward_key


class _Installed:
    """The client of the app, and what the answer to one request is to say of its key."""

    def __init__(self, client: AsyncKeyward) -> None:
        self.client = client
        self.headers: dict[str, str] = {}


class _Middleware:
    """Below the framework, so that every kind of response gets its headers."""

    def __init__(self, app: ASGIApp, client: AsyncKeyward) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        installed = scope[_SCOPE] = _Installed(self._client)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(k.encode(), v.encode()) for k, v in installed.headers.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _answer(_: Request, refused: Any) -> Response:
    return Response(refused.content, refused.status, headers=refused.headers)
