"""The same small API behind each framework's middleware."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import django
import httpx
from django.conf import settings
from django.http import JsonResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse
from keyward import AsyncKeyward
from keyward import django as keyward_django
from keyward.fastapi import install
from keyward.fastapi import require_key as fastapi_key

DEMANDS: dict[str, dict[str, Any]] = {
    "any": {},
    "orders": {"scopes": ["orders:read"]},
    "project": {"resource": lambda request: request.headers.get("project", "project:alpha")},
    "costly": {"cost": 5},
    "proxied": {"ip": lambda request: request.headers["x-real-ip"]},
}


@dataclass
class Answer:
    status: int
    headers: Any
    body: Any


def call_fastapi(path: str, headers: Any, address: str = "192.0.2.1", url: Any = None) -> Answer:
    async def call() -> httpx.Response:
        async with AsyncKeyward(url, timeout=1 if url else 10) as client:
            app = FastAPI()
            install(app, client)
            for name, demands in DEMANDS.items():
                add_route(app, name, demands)
            transport = httpx.ASGITransport(app=app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://api") as caller:
                return await caller.get(f"/{path}", headers=encoded(headers))

    response = asyncio.run(call())
    return Answer(response.status_code, response.headers, response.json())


def add_route(app: FastAPI, name: str, demands: Any) -> None:
    @app.get(f"/{name}")
    async def route(verdict: Any = Depends(fastapi_key(**demands))) -> Any:
        # A response of its own, which gets the headers all the same.
        return JSONResponse({"owner": verdict.owner_id})


def owner(request: Any) -> JsonResponse:
    return JsonResponse({"owner": request.keyward.owner_id})


async def async_owner(request: Any) -> JsonResponse:
    return JsonResponse({"owner": request.keyward.owner_id})


def is_open(request: Any) -> JsonResponse:
    return JsonResponse({"owner": None})


guarded = {name: keyward_django.require_key(**demands)(owner) for name, demands in DEMANDS.items()}
urlpatterns = [
    *(path(name, view) for name, view in guarded.items()),
    path("async-orders", keyward_django.require_key(scopes=["orders:read"])(async_owner)),
    path("undecorated", owner),
    path("keyless", keyward_django.keyless(is_open)),
]

settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="tests")
django.setup()


def encoded(headers: Any) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in dict_items(headers)]


def django_headers(headers: Any) -> dict[str, str]:
    """Of a repeated header WSGI servers make one, with a comma."""
    joined: dict[str, str] = {}
    for name, value in dict_items(headers):
        name = f"HTTP_{name.upper().replace('-', '_')}"
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def dict_items(headers: Any) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, dict) else headers


def call_django(
    path: str, headers: Any, address: str = "192.0.2.1", url: Any = None, middleware: bool = False
) -> Answer:
    names = ["keyward.django.KeywardMiddleware"] if middleware else []
    keyward_django._client.cache_clear()
    with override_settings(KEYWARD_URL=url, MIDDLEWARE=names):
        response = Client().get(f"/{path}", REMOTE_ADDR=address, **django_headers(headers))
    return Answer(response.status_code, response, response.json())


def call_django_async(path: str, headers: dict[str, str]) -> Answer:
    keyward_django._client.cache_clear()

    async def call() -> Any:
        return await AsyncClient().get(f"/{path}", **headers)

    with override_settings(MIDDLEWARE=[]):
        response = asyncio.run(call())
    return Answer(response.status_code, response, response.json())
