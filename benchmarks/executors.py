"""What is measured side by side."""

from __future__ import annotations

NAMES = {
    "tradewind": "Tradewind",
    "local": "LocalExecutor",
    "edge3": "edge3, polls each second",
    "edge3-stock": "edge3",
    "celery": "CeleryExecutor",
}
"""What people call each."""
