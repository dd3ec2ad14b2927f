"""What a client gets, behind FastAPI and Django alike."""

import socket

import pytest
from keyward import Verdict
from keyward._refusals import Refused, require_valid

from .frameworks import call_django, call_django_async, call_fastapi


@pytest.fixture(params=[call_fastapi, call_django])
def call(request, admin):
    return request.param


def bearer(key):
    return {"Authorization": f"Bearer {key.key}"}


def assert_refused(answer, status, code):
    assert (answer.status, answer.body["code"]) == (status, code)
    assert answer.body["status"] == status and answer.body["title"]
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_a_valid_key_is_let_through_and_the_api_learns_whose_it_is(call, new_key):
    key = new_key(scopes=["orders:read"])
    answer = call("orders", bearer(key))
    assert (answer.status, answer.body) == (200, {"owner": "customer_42"})
    assert call("orders", {"X-API-Key": key.key}).status == 200


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Basic dTpw"}, {"Authorization": "Bearer "}]
)
def test_a_request_without_a_key_gets_401_and_is_told_how_to_send_one(call, headers):
    answer = call("any", headers)
    assert_refused(answer, 401, "KEY_MISSING")
    assert answer.headers["www-authenticate"] == 'Bearer realm="keyward"'


@pytest.mark.parametrize("key", ["unknown", "ak_live_äöü", "x" * 5000])
def test_an_unknown_key_gets_401(call, key):
    answer = call("any", {"X-API-Key": key.encode().decode("latin-1")})
    assert_refused(answer, 401, "NOT_FOUND")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.body["requestId"]


def test_two_different_keys_in_one_header_are_not_let_through(call, new_key):
    one, two = bearer(new_key()), bearer(new_key())
    answer = call("any", [*one.items(), *two.items()])
    assert answer.status == 401
    assert answer.body["code"] in ("KEY_AMBIGUOUS", "KEY_MISSING")


def test_a_missing_scope_gets_403_and_is_named(call, new_key):
    answer = call("orders", bearer(new_key(scopes=["orders:write"])))
    assert_refused(answer, 403, "INSUFFICIENT_SCOPE")
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge and 'scope="orders:read"' in challenge


def test_a_resource_that_the_key_does_not_have_gets_403(call, new_key):
    assert call("project", bearer(new_key(resources=["project:alpha"]))).status == 200
    answer = call("project", bearer(new_key(resources=["project:beta"])))
    assert_refused(answer, 403, "RESOURCE_NOT_ALLOWED")
    for made_up in ("", "x" * 257, "project:\x01", " "):
        refused = call("project", {**bearer(new_key()), "Project": made_up})
        assert_refused(refused, 403, "RESOURCE_NOT_ALLOWED")


def test_a_reached_rate_limit_gets_429_with_the_time_to_wait(call, new_key):
    key = new_key(rateLimits=[{"name": "per-hour", "limit": 1, "windowSeconds": 3600}])
    passed = call("any", bearer(key))
    assert passed.status == 200
    assert passed.headers["ratelimit-policy"] == '"per-hour";q=1;w=3600'
    assert passed.headers["ratelimit"].startswith('"per-hour";r=0;t=')
    refused = call("any", bearer(key))
    assert_refused(refused, 429, "RATE_LIMITED")
    assert 3500 < int(refused.headers["retry-after"]) <= 3900
    assert refused.headers["ratelimit"].startswith('"per-hour";r=0;t=')


def test_a_cost_above_the_limit_has_no_time_to_wait(call, new_key):
    key = new_key(rateLimits=[{"name": "per-hour", "limit": 4, "windowSeconds": 3600}])
    refused = call("costly", bearer(key))
    assert_refused(refused, 429, "RATE_LIMITED")
    assert "retry-after" not in refused.headers


def test_spent_credits_get_429(call, new_key, remaining):
    key = new_key(credits={"remaining": 7})
    assert call("costly", bearer(key)).status == 200
    assert_refused(call("costly", bearer(key)), 429, "CREDITS_EXHAUSTED")
    assert remaining(key) == 2


def test_a_key_that_was_revoked_a_moment_ago_gets_401(call, admin, new_key):
    key = new_key()
    assert call("any", bearer(key)).status == 200
    admin.revoke_key(key.id)
    assert_refused(call("any", bearer(key)), 401, "REVOKED")


def test_the_holder_of_a_retiring_string_is_told_when_it_ends(call, admin, new_key):
    key = new_key()
    assert "sunset" not in call("any", bearer(key)).headers
    admin.rotate_key(key.id, grace_seconds=3600)
    answer = call("any", bearer(key))
    assert answer.headers["deprecation"].startswith("@")
    assert answer.headers["sunset"].endswith("GMT")


def test_the_address_is_what_the_server_knows_and_no_header_of_the_client(call, new_key):
    key = bearer(new_key(allowedIps=["203.0.113.7"]))
    assert call("any", key, "203.0.113.7").status == 200
    forged = {name: "203.0.113.7" for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP")}
    assert_refused(call("any", {**key, **forged}), 403, "IP_NOT_ALLOWED")
    assert_refused(call("any", key, "testclient"), 403, "IP_NOT_ALLOWED")
    assert call("proxied", {**key, "X-Real-IP": "203.0.113.7"}).status == 200


def test_without_keyward_nothing_is_let_through(call, new_key, caplog):
    key = new_key()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        answer = call("any", bearer(key), url=f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert_refused(answer, 503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert "UNREACHABLE" in caplog.text and key.key not in caplog.text


def test_a_lost_answer_lets_nothing_through_and_was_spent_once(call, proxy, new_key, remaining):
    key = new_key(credits={"remaining": 10})
    proxy.plans.append("the service has answered, and the client gets nothing")
    assert_refused(call("any", bearer(key), url=proxy.url), 503, "UNAVAILABLE")
    assert remaining(key) == 9


def test_a_verdict_of_a_later_version_gets_403():
    verdict = Verdict.read({"valid": False, "code": "CODE_OF_A_LATER_VERSION"})
    with pytest.raises(Refused) as refused:
        require_valid(verdict, None)
    assert refused.value.status == 403


def test_the_django_middleware_guards_every_view_but_those_that_say_otherwise(admin, new_key):
    key = bearer(new_key(scopes=["orders:read"], credits={"remaining": 10}))
    assert_refused(call_django("undecorated", {}, middleware=True), 401, "KEY_MISSING")
    assert call_django("undecorated", key, middleware=True).body == {"owner": "customer_42"}
    assert call_django("keyless", {}, middleware=True).status == 200
    assert call_django("orders", key, middleware=True).status == 200
    assert_refused(call_django("orders", {}, middleware=True), 401, "KEY_MISSING")


def test_the_django_middleware_and_the_decorator_spend_once(admin, new_key, remaining):
    key = new_key(credits={"remaining": 10})
    assert call_django("any", bearer(key), middleware=True).status == 200
    assert remaining(key) == 9


def test_an_async_view_of_django_is_guarded_too(admin, new_key):
    key = new_key(scopes=["orders:read"])
    assert call_django_async("async-orders", bearer(key)).body == {"owner": "customer_42"}
    assert_refused(call_django_async("async-orders", {}), 401, "KEY_MISSING")
