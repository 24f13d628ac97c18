"""A few requests at a time go to Airflow, and none waits long for its turn."""

from __future__ import annotations

import asyncio

import pytest

from tradewind_provider.api.execution_proxy.concurrency_limiter import ConcurrencyLimiter

pytestmark = pytest.mark.looptime(resolution=1e-9)


async def _ask(turns: ConcurrencyLimiter, seconds: float, began: list[float]) -> None:
    async with turns.one():
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(seconds)


async def test_what_is_too_much_at_once_waits_for_what_is_quick() -> None:
    turns, began = ConcurrencyLimiter(at_once=lambda: 2), list[float]()
    await asyncio.gather(*(_ask(turns, 0.01, began) for _ in range(5)))
    assert began == pytest.approx([0, 0, 0.01, 0.01, 0.02])


async def test_nothing_waits_for_long_behind_what_is_slow() -> None:
    turns, began = ConcurrencyLimiter(at_once=lambda: 2, patience=0.05), list[float]()
    await asyncio.gather(*(_ask(turns, 60, began) for _ in range(4)))
    assert began == pytest.approx([0, 0, 0.05, 0.05])
    await asyncio.gather(*(_ask(turns, 1, began) for _ in range(2)))
    assert began[-2:] == pytest.approx([60.05, 60.05])  # and who went all the same gives no turn back


async def test_where_no_connection_is_kept_nobody_waits() -> None:
    turns, began = ConcurrencyLimiter(at_once=lambda: None), list[float]()
    await asyncio.gather(*(_ask(turns, 60, began) for _ in range(50)))
    assert began == [0] * 50


async def test_who_hangs_up_leaves_its_turn_to_the_next() -> None:
    turns, began = ConcurrencyLimiter(at_once=lambda: 1), list[float]()
    first = asyncio.create_task(_ask(turns, 60, began))
    await asyncio.sleep(1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await _ask(turns, 0, began)
    assert began == pytest.approx([0, 1])
