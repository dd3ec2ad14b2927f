"""Runs the code of the README as it stands."""

import asyncio
import re
from pathlib import Path

import httpx
from django.test import RequestFactory
from keyward import django as keyward_django

from . import frameworks as _  # noqa: F401, configures Django

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


def block(text):
    [found] = [code for code in BLOCKS if text in code]
    return compile(found, str(README), "exec")


def test_the_readme_has_no_block_that_is_not_run():
    assert len(BLOCKS) == 4


def test_the_first_questions_and_the_management_calls_of_the_readme_work(new_key, capsys):
    names = {"presented_key": new_key(scopes=["orders:read"]).key}
    exec(block("required_scopes"), names)
    exec(block("create_key"), names)
    assert "Hello customer_42" in capsys.readouterr().out
    assert names["keyward"].get_key(names["key"].id).status == "revoked"
    assert names["page"]["data"]


def test_the_fastapi_app_of_the_readme_works(new_key):
    names = {}
    exec(block("FastAPI()"), names)

    async def call():
        transport = httpx.ASGITransport(app=names["app"])
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as caller:
            key = new_key(scopes=["orders:read"]).key
            refused = await caller.get("/orders")
            passed = await caller.get("/orders", headers={"authorization": f"Bearer {key}"})
            return refused, passed

    refused, passed = asyncio.run(call())
    assert refused.status_code == 401
    assert passed.json() == {"owner": "customer_42"}


def test_the_django_view_of_the_readme_works(new_key):
    keyward_django._client.cache_clear()
    names = {}
    exec(block("JsonResponse"), names)
    key = new_key(scopes=["orders:read"]).key
    request = RequestFactory().get("/orders", HTTP_AUTHORIZATION=f"Bearer {key}")
    assert names["orders"](request).content == b'{"owner": "customer_42"}'
    assert names["orders"](RequestFactory().get("/orders")).status_code == 401
