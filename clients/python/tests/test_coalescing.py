"""Questions that arrive together share a call."""

import asyncio

import pytest
from keyward import AsyncKeyward, KeywardError

from .proxy import LOST

ONE = ("/v1/verify", 1)


def batch(items):
    return ("/v1/verify/batch", items)


def run(test):
    return asyncio.run(test)


def test_a_lone_question_goes_at_once_and_the_others_in_batches_of_a_hundred(
    proxy, new_key, remaining
):
    key = new_key(credits={"remaining": 1000})
    proxy.gate.clear()

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            questions = asyncio.gather(*(client.verify(key.key) for _ in range(251)))
            # All arrive although none is answered: a slow call holds up no others.
            for _ in range(4):
                await asyncio.to_thread(proxy.arrived.acquire)
            proxy.gate.set()
            return await questions

    verdicts = run(ask())
    assert len(verdicts) == 251 and all(verdict.valid for verdict in verdicts)
    assert sorted(proxy.calls) == sorted([ONE, batch(100), batch(100), batch(50)])
    assert remaining(key) == 749


def test_questions_one_after_another_are_never_delayed_into_batches(proxy, new_key):
    key = new_key()

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            for _ in range(5):
                assert (await client.verify(key.key)).valid

    run(ask())
    assert proxy.calls == [ONE] * 5


def test_each_question_of_a_batch_gets_its_own_verdict_or_error(proxy, new_key):
    key = new_key(scopes=["orders:read"])

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            return await asyncio.gather(
                client.verify(key.key),
                client.verify(key.key, required_scopes=["orders:read"]),
                client.verify(key.key, required_scopes=["orders:write"]),
                client.verify(key.key, required_scopes=["not a scope"]),
                client.verify(f"Bearer {key.key}"),
                client.verify("unknown"),
                return_exceptions=True,
            )

    results = run(ask())
    assert [result.code for result in results] == [
        "VALID",
        "VALID",
        "INSUFFICIENT_SCOPE",
        "INVALID_REQUEST",
        "KEY_WITH_SCHEME",
        "NOT_FOUND",
    ]
    assert results[3].status == 400 and "requiredScopes" in results[3].detail
    assert key.key not in str(results[4])
    assert proxy.calls == [ONE, batch(5)]


def test_a_question_that_cannot_be_written_fails_alone_and_its_error_has_no_key(proxy, new_key):
    key = new_key()

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            return await asyncio.gather(
                client.verify(key.key),
                client.verify(key.key),
                client.verify(f"{key.key}\udc80"),
                client.verify(key.key, cost=float("nan")),
                client.verify(key.key.encode()),
                return_exceptions=True,
            )

    good, another, *unwritable = run(ask())
    assert good.valid and another.valid
    assert [type(error) for error in unwritable] == [ValueError] * 3
    assert all(key.key not in repr(error) + repr(error.__context__) for error in unwritable)


def test_a_client_that_is_closed_fails_its_questions_at_once():
    async def ask():
        client = AsyncKeyward("http://keyward", "kw_test", timeout=3600)
        await client.aclose()
        questions = (client.verify("ak") for _ in range(3))
        return await asyncio.wait_for(asyncio.gather(*questions, return_exceptions=True), 60)

    assert [type(error) for error in run(ask())] == [RuntimeError] * 3


def test_a_lost_batch_fails_every_question_and_each_was_spent_once(proxy, new_key, remaining):
    key = new_key(credits={"remaining": 100})
    proxy.plans.extend([None, LOST])

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            questions = (client.verify(key.key) for _ in range(11))
            return await asyncio.gather(*questions, return_exceptions=True)

    first, *others = run(ask())
    assert first.valid
    assert [error.code for error in others] == ["NO_ANSWER"] * 10
    assert proxy.calls == [ONE, batch(10)]
    assert remaining(key) == 89


def test_an_overloaded_batch_is_asked_again_and_spent_once(proxy, new_key, remaining):
    key = new_key(credits={"remaining": 100})
    proxy.plans.extend([None, (503, "OVERLOADED", {"retry-after": "0"})])

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            return await asyncio.gather(*(client.verify(key.key) for _ in range(11)))

    assert all(verdict.valid for verdict in run(ask()))
    assert remaining(key) == 89


def test_a_batch_that_is_refused_as_a_whole_is_asked_one_by_one(proxy, new_key, remaining):
    key = new_key(credits={"remaining": 100})
    proxy.plans.extend([None, (400, "INVALID_REQUEST", {})])

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            return await asyncio.gather(*(client.verify(key.key) for _ in range(4)))

    assert all(verdict.valid for verdict in run(ask()))
    assert proxy.calls == [ONE, batch(3), ONE, ONE, ONE]
    assert remaining(key) == 96


def test_a_question_whose_caller_has_gone_away_is_not_sent(proxy, new_key, remaining):
    key = new_key(credits={"remaining": 100})
    proxy.gate.clear()

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            first = asyncio.create_task(client.verify(key.key))
            waiting = asyncio.create_task(client.verify(key.key))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            proxy.gate.set()
            assert (await first).valid
            assert (await client.verify(key.key)).valid

    run(ask())
    assert proxy.calls == [ONE, ONE]
    assert remaining(key) == 98


def test_a_revocation_between_two_batches_is_seen_by_the_second(admin, new_key):
    key = new_key()

    async def ask():
        async with AsyncKeyward(timeout=20) as client:
            before = await asyncio.gather(*(client.verify(key.key) for _ in range(20)))
            await client.revoke_key(key.id)
            after = await asyncio.gather(*(client.verify(key.key) for _ in range(20)))
            return before, after

    before, after = run(ask())
    assert {verdict.code for verdict in before} == {"VALID"}
    assert {verdict.code for verdict in after} == {"REVOKED"}


def test_a_batch_with_another_number_of_results_decides_nothing(proxy, new_key):
    key = new_key()
    proxy.plans.extend([None, (200, "VALID", {})])

    async def ask():
        async with AsyncKeyward(proxy.url, timeout=20) as client:
            questions = (client.verify(key.key) for _ in range(3))
            return await asyncio.gather(*questions, return_exceptions=True)

    _, *others = run(ask())
    assert all(isinstance(error, KeywardError) for error in others)
