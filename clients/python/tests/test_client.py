import asyncio
import json
import traceback
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest
from keyward import AsyncKeyward, Keyward, KeywardError

ANSWER = {"valid": True, "code": "VALID", "requestId": "req_1"}
SECRET = "ak_live_this_string_must_not_be_shown"


def answering(body, status=200):
    """A client whose every question gets this answer."""
    content = body if isinstance(body, str) else json.dumps(body)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=content))
    return Keyward("http://keyward", "kw_test", transport=transport)


def test_a_valid_key_gives_a_typed_verdict(admin, new_key):
    key = new_key(
        scopes=["orders:read"],
        metadata={"plan": "pro"},
        expiresAt="2126-01-31T12:00:00.000Z",
        rateLimits=[{"name": "per-hour", "limit": 10, "windowSeconds": 3600}],
    )
    verdict = admin.verify(key.key, required_scopes=["orders:read"])
    assert (verdict.valid, verdict.code, verdict.key_id) == (True, "VALID", key.id)
    assert (verdict.owner_id, verdict.scopes) == ("customer_42", ("orders:read",))
    assert (verdict.metadata, verdict.expires_at.year) == ({"plan": "pro"}, 2126)
    assert verdict.rotation.retiring is False
    assert verdict.rate_limits[0].remaining == 9
    assert verdict.request_id.startswith("req_")


def test_a_negative_verdict_is_an_answer_and_no_exception(admin, new_key):
    verdict = admin.verify(new_key().key, required_scopes=["orders:write"])
    assert (verdict.valid, verdict.code) == (False, "INSUFFICIENT_SCOPE")
    assert verdict.missing_scopes == ("orders:write",)
    assert admin.verify("").code == "NOT_FOUND"


def test_a_revoked_key_is_refused_at_the_next_question(admin, new_key):
    key = new_key()
    assert admin.verify(key.key).valid
    admin.revoke_key(key.id, reason="leaked")
    assert admin.verify(key.key).code == "REVOKED"
    assert admin.get_key(key.id).status == "revoked"


def test_a_rotation_gives_a_new_string_and_the_old_one_is_told_to_retire(admin, new_key):
    key = new_key()
    rotated = admin.rotate_key(key.id, grace_seconds=60)
    assert rotated.id == key.id
    assert admin.verify(rotated.key).rotation.retiring is False
    retiring = admin.verify(key.key)
    assert retiring.valid and retiring.rotation.retiring and retiring.rotation.valid_until


def test_threads_share_a_client_and_each_verification_is_spent_once(admin, new_key, remaining):
    key = new_key(credits={"remaining": 100})
    with ThreadPoolExecutor(16) as threads:
        verdicts = list(threads.map(lambda _: admin.verify(key.key), range(60)))
    assert all(verdict.valid for verdict in verdicts)
    assert remaining(key) == 40


def test_a_creation_with_an_idempotency_key_acts_once(admin):
    new = {"name": "once", "ownerId": "customer_idempotent"}
    idempotency_key = str(uuid4())
    first = admin.create_key(new, idempotency_key=idempotency_key)
    again = admin.create_key(new, idempotency_key=idempotency_key)
    assert again.id == first.id
    assert first.key and again.key is None


def test_every_other_call_of_the_api_can_be_made_by_its_path(admin, new_key):
    key = new_key()
    changed = admin.request("PATCH", f"/v1/keys/{key.id}", {"name": "renamed"})
    assert changed["name"] == "renamed"
    with pytest.raises(ValueError, match="begin with /"):
        admin.request("GET", "http://example.com/")


def test_the_async_client_manages_keys_too(admin):
    async def manage():
        async with AsyncKeyward(timeout=10) as client:
            key = await client.create_key({"name": "async"})
            rotated = await client.rotate_key(key.id, grace_seconds=0)
            assert (await client.verify(rotated.key)).valid
            await client.revoke_key(key.id)
            assert (await client.verify(rotated.key)).code == "REVOKED"
            assert (await client.get_key(key.id)).status == "revoked"
            assert (await client.request("GET", "/v1/keys?limit=1"))["data"]

    asyncio.run(manage())


def test_an_error_has_the_code_the_status_and_the_request_id(admin, new_key):
    with Keyward(management_key="kw_wrong") as stranger, pytest.raises(KeywardError) as caught:
        stranger.verify(new_key().key)
    error = caught.value
    assert (error.code, error.status) == ("UNAUTHENTICATED", 401)
    assert error.request_id and error.request_id in str(error)


def test_no_error_contains_a_key(admin):
    failures = [
        lambda: admin.verify(f"Bearer {SECRET}"),
        lambda: admin.verify(SECRET, required_scopes=["not a scope"]),
        lambda: answering("<html>").verify(SECRET),
        lambda: answering("[]").verify(SECRET),
        lambda: answering({"code": "INTERNAL"}, 500).verify(SECRET),
        lambda: Keyward("http://127.0.0.1:1", SECRET, timeout=0.2).verify(SECRET),
        lambda: Keyward("http://keyward", f"{SECRET}\nx"),
    ]
    for failure in failures:
        with pytest.raises((KeywardError, ValueError)) as caught:
            failure()
        shown = "".join(traceback.format_exception(None, caught.value, caught.value.__traceback__))
        assert SECRET not in shown + repr(vars(caught.value))


def test_an_error_has_no_key_in_it_whatever_the_answer_says(new_key):
    key = new_key().key
    errors = [{"pointer": f"/{key}", "detail": key}]
    problem = {"code": "INVALID_REQUEST", "detail": f"no {key}", "errors": errors}
    with pytest.raises(KeywardError) as caught:
        answering(problem, 400).verify("ak")
    assert key not in str(caught.value) + repr(vars(caught.value))
    with pytest.raises(KeywardError):
        answering({**problem, "errors": 7}, 400).verify("ak")


def test_the_string_of_a_key_is_not_in_its_representation(new_key):
    key = new_key()
    assert key.key and key.key not in repr(key)


@pytest.mark.parametrize(
    "answer",
    [
        {**ANSWER, "code": "CODE_OF_A_LATER_VERSION"},
        {**ANSWER, "valid": False},
        {**ANSWER, "valid": False, "code": "CODE_OF_A_LATER_VERSION"},
    ],
)
def test_whatever_is_not_known_to_be_valid_is_not_valid(answer):
    assert answering(ANSWER).verify("ak").valid
    assert not answering(answer).verify("ak").valid


@pytest.mark.parametrize(
    "answer", ["", "[]", "null", "true", "{}", '{"valid": "true", "code": "VALID"}', '{"valid": tr']
)
def test_an_answer_that_cannot_be_read_is_an_error_and_no_verdict(answer):
    with pytest.raises(KeywardError) as caught:
        answering(answer).verify("ak")
    assert caught.value.code == "BAD_ANSWER"


def test_a_redirect_is_not_followed_with_the_key():
    asked = []

    def redirect(request):
        asked.append(request.url)
        return httpx.Response(307, headers={"location": "http://elsewhere/v1/verify"})

    client = Keyward("http://keyward", "kw_test", transport=httpx.MockTransport(redirect))
    with pytest.raises(KeywardError):
        client.verify("ak")
    assert [str(url) for url in asked] == ["http://keyward/v1/verify"]


def test_scopes_are_a_list_and_an_empty_choice_of_scopes_opens_nothing(admin, new_key):
    with pytest.raises(TypeError):
        admin.verify("ak", required_scopes="orders:read")
    with pytest.raises(KeywardError) as caught:
        admin.verify(new_key().key, required_any_scope=[])
    assert caught.value.code == "INVALID_REQUEST"
