"""What an attempt is, and how the suite tells whether it got through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import httpx

from .world import World

LONGEST: Final = 60.0
"""Seconds an answer may take, on a machine that does much else. What these attempts hung took minutes."""

Act = Callable[[World], Awaitable[httpx.Response]]
Held = Callable[[World, httpx.Response], str]


def refused(world: World, answer: httpx.Response) -> str:
    """Held off by a refusal."""
    return "" if 400 <= answer.status_code < 500 else f"it was answered with {answer.status_code}"


def refused_or(*statuses: int) -> Held:
    """Held off by a refusal, or by an answer of that status with nothing in it."""

    def held(world: World, answer: httpx.Response) -> str:
        return "" if answer.status_code in statuses else refused(world, answer)

    return held


def not_failed(world: World, answer: httpx.Response) -> str:
    """Whatever the plane makes of it, it does not fail."""
    return "" if answer.status_code < 500 else f"the plane failed with {answer.status_code}"


@dataclass(frozen=True)
class Attempt:
    """One thing an attacker tries."""

    family: str
    name: str
    act: Act
    held: Held = refused
    open: str = ""  # why it gets through today; it is expected to, and the suite is red once it does not

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"


async def breaches(world: World, attempt: Attempt, *, longest: float = LONGEST) -> list[str]:
    """What the attempt achieved. Empty: it was held off, and nothing of anybody else's moved or got out. No answer within
    `longest` seconds is an achievement, too."""
    world.log.take()
    try:
        answer = await asyncio.wait_for(attempt.act(world), longest)
    except (TimeoutError, asyncio.TimeoutError):
        return [f"the plane gave no answer in {longest:g} s"]
    found = [said] if (said := attempt.held(world, answer)) else []
    if answer.status_code >= 500 and answer.status_code != 503:
        found.append(f"the plane failed: {answer.status_code} {answer.text[:200]}")
    shown = f"{answer.headers} {answer.text}"
    found += [f"the answer holds the secret of the {name}" for name in world.leaked(shown)]
    found += [f"{name} changed" for name in world.changed()]
    logged = world.log.take()
    found += [f"the log holds the secret of the {name}" for name in world.leaked(logged)]
    found += ["the log holds a credential" for one in world.credentials() if one in logged]
    found += ["the answer holds a credential" for one in world.credentials() if one in shown]
    return found
