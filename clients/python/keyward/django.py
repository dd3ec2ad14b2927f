"""Keyward for Django: `@require_key(...)` on views, or KeywardMiddleware for all of them.

Settings: KEYWARD_URL and KEYWARD_MANAGEMENT_KEY; without them, the environment's.
"""

import os
from collections.abc import Iterable
from functools import lru_cache, wraps
from inspect import iscoroutinefunction
from typing import Any, Callable, Optional, TypeVar, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from . import _refusals as refusals
from ._client import Keyward
from ._errors import KeywardError
from ._models import Verdict
from ._protocol import scope_list

__all__ = ["KeywardMiddleware", "keyless", "require_key"]

View = TypeVar("View", bound=Callable[..., Any])
Ask = Callable[[HttpRequest], Verdict]

_SETTLED = "keyward_settled"


def require_key(
    *,
    scopes: Iterable[str] = (),
    any_scope: Optional[Iterable[str]] = None,
    resource: Optional[Callable[[HttpRequest], str]] = None,
    cost: Optional[int] = None,
    ip: Optional[Callable[[HttpRequest], Optional[str]]] = None,
    workspace_id: Optional[str] = None,
) -> Callable[[View], View]:
    """Lets valid keys through to the view, with their verdict as `request.keyward`.

    `ip` tells the client's address where the server is behind a proxy that it does not know of;
    by default it is REMOTE_ADDR.
    """
    required = scope_list(scopes)
    any_of = None if any_scope is None else scope_list(any_scope)

    def ask(request: HttpRequest) -> Verdict:
        return _ask(
            request,
            ip=refusals.client_address(ip(request) if ip else request.META.get("REMOTE_ADDR")),
            required_scopes=required,
            required_any_scope=any_of,
            resource=resource(request) if resource else None,
            cost=cost,
            workspace_id=workspace_id,
        )

    def decorate(view: View) -> View:
        return cast(View, _settled(_guarded(view, ask)))

    return decorate


def keyless(view: View) -> View:
    """Leaves the view open where KeywardMiddleware guards the others."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return view(request, *args, **kwargs)

    return cast(View, _settled(wrapper))


class KeywardMiddleware:
    """Requires a valid key for every view that has neither @require_key nor @keyless."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        response = self._get_response(request)
        verdict = getattr(request, "keyward", None)
        return _with_headers(response, verdict) if verdict else response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> Optional[HttpResponse]:
        if getattr(view, _SETTLED, False):
            return None
        address = refusals.client_address(request.META.get("REMOTE_ADDR"))
        try:
            request.keyward = _ask(request, ip=address)
        except refusals.Refused as refused:
            return _answer(refused)
        return None


def _guarded(view: Any, ask: Ask) -> Any:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            verdict = ask(request)
        except refusals.Refused as refused:
            return _answer(refused)
        request.keyward = verdict
        return _with_headers(view(request, *args, **kwargs), verdict)

    @wraps(view)
    async def async_guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            verdict = await sync_to_async(ask, thread_sensitive=False)(request)
        except refusals.Refused as refused:
            return _answer(refused)
        request.keyward = verdict
        return _with_headers(await view(request, *args, **kwargs), verdict)

    return async_guarded if iscoroutinefunction(view) else guarded


def _settled(view: Any) -> Any:
    setattr(view, _SETTLED, True)
    return view


def _ask(request: HttpRequest, **question: Any) -> Verdict:
    api_key, authorization = (
        [request.META.get(name, "")] for name in ("HTTP_X_API_KEY", "HTTP_AUTHORIZATION")
    )
    key = refusals.presented_key(api_key, authorization)
    refusals.require_possible(question.get("resource"))
    agent = refusals.client_user_agent(request.META.get("HTTP_USER_AGENT"))
    try:
        verdict = _client(os.getpid()).verify(key, user_agent=agent, **question)
    except KeywardError as error:
        raise refusals.unavailable(error) from None
    refusals.require_valid(verdict, question.get("cost"))
    return verdict


@lru_cache(maxsize=1)
def _client(pid: int) -> Keyward:
    """One for each process: connections must not be shared with a fork."""
    url = getattr(settings, "KEYWARD_URL", None)
    return Keyward(url, getattr(settings, "KEYWARD_MANAGEMENT_KEY", None))


def _answer(refused: refusals.Refused) -> HttpResponse:
    response = HttpResponse(refused.content, status=refused.status)
    return _add(response, refused.headers)


def _with_headers(response: Any, verdict: Verdict) -> Any:
    return _add(response, refusals.verdict_headers(verdict))


def _add(response: Any, headers: dict[str, str]) -> Any:
    for name, value in headers.items():
        response[name] = value
    return response
