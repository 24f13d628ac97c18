"""A supervisor, and the attempt process manager above it, that serve one attempt after the other.

Airflow's supervisor copies some thousand pages of memory when it is first used. A task's process is new for each attempt
all the same.
"""

from __future__ import annotations

from typing import Final

MOST_ATTEMPTS: Final = 100
"""Served by one supervisor: what a library leaks in it stays small."""


class SupervisorReuse:
    name = "supervisor_reuse"

    def __init__(self) -> None:
        self.attempts = 1
        """Attempts that one supervisor serves at most."""

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        self.attempts = MOST_ATTEMPTS
