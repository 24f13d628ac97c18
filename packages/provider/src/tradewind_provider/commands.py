"""Airflow asks every provider of an executor for commands; ours are in the `tradewind` command instead."""

from __future__ import annotations

from typing import Any


def get_commands() -> list[Any]:
    """None. Here because Airflow warns about an executor's provider that does not say so."""
    return []
