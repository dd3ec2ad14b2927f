"""What is asked again, and that nothing is spent twice. Both clients follow the same rules."""

import asyncio
import socket
import time
from uuid import uuid4

import httpx
import pytest
from keyward import AsyncKeyward, Keyward, KeywardError

from .proxy import CUT, LOST

AT_ONCE = {"retry-after": "0"}
OVERLOADED = (503, "OVERLOADED", AT_ONCE)
TOO_MANY_REQUESTS = (429, "TOO_MANY_REQUESTS", AT_ONCE)
UNAVAILABLE = (503, "UNAVAILABLE", AT_ONCE)
TIMED_OUT = (503, "TIMED_OUT", AT_ONCE)


def ask_sync(key, options, question):
    with Keyward(**options) as client:
        return client.verify(key, **question)


def ask_async(key, options, question):
    async def ask():
        async with AsyncKeyward(**options) as client:
            return await client.verify(key, **question)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_sync, ask_async])
def ask(request, admin):
    def ask_with(key, url=None, timeout=5, **question):
        options = {"url": url, "timeout": timeout}
        return request.param(key, options, question)

    return ask_with


def code_of(ask, *args, **kwargs):
    with pytest.raises(KeywardError) as caught:
        ask(*args, **kwargs)
    return caught.value.code


@pytest.mark.parametrize("plan", [LOST, CUT])
def test_after_a_lost_or_cut_answer_the_cost_was_spent_once(ask, plan, proxy, new_key, remaining):
    key = new_key(credits={"remaining": 10})
    proxy.plans.append(plan)
    assert code_of(ask, key.key, proxy.url) == "NO_ANSWER"
    assert len(proxy.calls) == 1
    assert remaining(key) == 9


@pytest.mark.parametrize("plan", [LOST, CUT, UNAVAILABLE, TIMED_OUT])
def test_a_question_that_spends_nothing_is_asked_again(ask, plan, proxy, new_key, remaining):
    key = new_key(credits={"remaining": 10})
    proxy.plans.append(plan)
    assert ask(key.key, proxy.url, cost=0).valid
    assert len(proxy.calls) == 2
    assert remaining(key) == 10


@pytest.mark.parametrize("plan", [OVERLOADED, TOO_MANY_REQUESTS])
def test_what_was_refused_unverified_is_asked_again(ask, plan, proxy, new_key, remaining):
    key = new_key(credits={"remaining": 10})
    proxy.plans.append(plan)
    assert ask(key.key, proxy.url).valid
    assert len(proxy.calls) == 2
    assert remaining(key) == 9


OF_A_PROXY = [
    (502, "UNREACHABLE", AT_ONCE),
    (504, "OVERLOADED", AT_ONCE),
    (502, "TOO_MANY_REQUESTS", AT_ONCE),
]


@pytest.mark.parametrize(
    "plan", [UNAVAILABLE, TIMED_OUT, (500, "INTERNAL", {}), (401, "X", {}), *OF_A_PROXY]
)
def test_what_may_have_been_spent_is_not_asked_again(ask, plan, proxy, new_key):
    proxy.plans.append(plan)
    assert code_of(ask, new_key().key, proxy.url) == plan[1]
    assert len(proxy.calls) == 1


@pytest.mark.parametrize(
    "call", [("GET", "/v1/authorize"), ("get", "/v1/authorize/x"), ("POST", "/v1/introspect")]
)
def test_no_call_that_verifies_is_asked_twice_whatever_its_method(call):
    asked = []

    def lose(request):
        asked.append(request.url.path)
        raise httpx.ReadError("lost", request=request)

    client = Keyward("http://keyward", "kw_test", transport=httpx.MockTransport(lose))
    with pytest.raises(KeywardError):
        client.request(*call)
    assert asked == [call[1]]


def test_attempts_are_bounded(ask, proxy, new_key):
    proxy.plans.extend([OVERLOADED] * 9)
    assert code_of(ask, new_key().key, proxy.url) == "OVERLOADED"
    assert len(proxy.calls) == 3


def test_a_retry_after_beyond_the_timeout_is_not_waited_for(ask, proxy, new_key):
    proxy.plans.append((503, "OVERLOADED", {"retry-after": "60"}))
    started = time.monotonic()
    assert code_of(ask, new_key().key, proxy.url) == "OVERLOADED"
    assert time.monotonic() - started < 5


def test_a_service_that_says_nothing_is_given_up_at_the_timeout(ask, proxy, new_key):
    key = new_key()
    proxy.gate.clear()
    started = time.monotonic()
    assert code_of(ask, key.key, proxy.url, timeout=0.2) == "NO_ANSWER"
    assert time.monotonic() - started < 5
    assert len(proxy.calls) == 1


def test_a_refused_connection_is_tried_again_until_someone_listens(proxy, new_key):
    attempts = []

    class RefusingOnce(httpx.HTTPTransport):
        def handle_request(self, request):
            attempts.append(request.url.path)
            if len(attempts) == 1:
                raise httpx.ConnectError("refused", request=request)
            return super().handle_request(request)

    with Keyward(proxy.url, timeout=5, transport=RefusingOnce()) as client:
        assert client.verify(new_key().key).valid
    assert len(attempts) == 2


@pytest.mark.parametrize(("path", "attempts"), [("/v1/keys", 3), ("/v1/authorize", 1)])
def test_a_get_without_an_answer_is_asked_again_unless_it_is_a_verification(path, attempts):
    asked = []

    def lose(request):
        asked.append(request.url.path)
        raise httpx.ReadError("lost", request=request)

    transport = httpx.MockTransport(lose)
    with Keyward("http://keyward", "kw_test", timeout=5, transport=transport) as client:
        with pytest.raises(KeywardError):
            client.request("GET", path)
    assert asked == [path] * attempts


def test_without_a_service_there_is_an_error_and_no_verdict(ask):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert code_of(ask, "ak", url, timeout=1) == "UNREACHABLE"


def test_a_management_key_at_its_maximum_waits_and_passes(ask, admin, new_key, remaining):
    slow = admin.request(
        "POST",
        "/v1/management-keys",
        {"name": "slow", "permissions": ["keys:verify"], "maxRequestsPerSecond": 1},
    )
    key = new_key(credits={"remaining": 10})
    with Keyward(management_key=slow["key"], timeout=5) as client:
        assert [client.verify(key.key).valid for _ in range(3)] == [True] * 3
    assert remaining(key) == 7


def test_a_change_without_an_answer_is_not_repeated(proxy, admin):
    owner = f"customer_{uuid4()}"
    proxy.plans.append(LOST)
    with Keyward(proxy.url, timeout=5) as client, pytest.raises(KeywardError):
        client.create_key({"name": "lost", "ownerId": owner})
    assert len(proxy.calls) == 1
    assert len(admin.request("GET", f"/v1/keys?ownerId={owner}")["data"]) == 1
