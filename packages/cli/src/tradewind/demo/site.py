"""What the agent's owner has: a directory with Dags in it. The plane never sees it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

TRIGGERED = ("demo_orders", "demo_waiting")
"""Dags the demo starts."""

BY_ASSET = ("demo_report",)
"""Dags that start by themselves once `demo_orders` has published."""

ALL = (*TRIGGERED, *BY_ASSET)


def write_dags(directory: Path) -> list[Path]:
    """Put the example Dags where the agent's bundle looks for them; what was written, by name."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for source in resources.files("tradewind.demo").joinpath("dags").iterdir():
        if source.name.endswith(".py"):
            target = directory / source.name
            target.write_text(source.read_text())
            written.append(target)
    return sorted(written)
