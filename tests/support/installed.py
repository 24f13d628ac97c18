"""Planes and agents as they are installed: wheels, in an environment each for the plane, the agent and the tasks.

The environment that runs the tests has everything, editable, and takes other paths than any owner's. So every real plane
and agent of a test is made of these settings.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from support.patience import stretched
from tradewind.embedded.agent import AgentSettings
from tradewind.embedded.environments import Checkout, Environments
from tradewind.embedded.plane import PlaneSettings

ROOT = Path(__file__).parents[2]
PLANES_DRIVERS = ("psycopg2-binary", "asyncpg")
"""What the owner of a plane on PostgreSQL installs beside tradewind-provider."""
TASKS_PACKAGES = ("apache-airflow-providers-git",)
"""What the owner of a site whose Dags lie in Git repositories installs beside tradewind-runtime."""


@cache
def checkout() -> Checkout:
    return Checkout(ROOT, say=lambda sentence: print(sentence, flush=True))


@cache
def environments(*planes_packages: str) -> Environments:
    """The three environments of this checkout. Half a minute when nothing of them is there yet."""
    return checkout().environments(plane=(*PLANES_DRIVERS, *planes_packages), tasks=TASKS_PACKAGES)


def plane_settings(*packages: str, **settings: Any) -> PlaneSettings:
    """Settings of a plane in the plane's environment with more packages, unless `interpreter` says otherwise."""
    ours = {"interpreter": environments(*packages).plane, "patience": stretched(120)}
    return PlaneSettings(**{**ours, **settings})


def agent_settings(**settings: Any) -> AgentSettings:
    """Settings of an agent that runs in its own environment and its tasks in theirs, unless they say otherwise."""
    made = environments()
    return AgentSettings(**{"interpreter": made.agent, "tasks": made.tasks, **settings})
