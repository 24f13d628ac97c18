"""What Airflow reads about this provider: executor, tables, options. Imports nothing, so that reading it is cheap."""

from __future__ import annotations

from typing import Any

from tradewind_provider.options import OPTIONS


def get_provider_info() -> dict[str, Any]:
    """The provider's description in the form of Airflow's provider_info.schema.json."""
    return {
        "package-name": "tradewind-provider",
        "name": "Tradewind",
        "description": "Remote execution: makes this Airflow an orchestration plane whose tasks, triggers and Dag "
        "parsing run on agents that dial out from where the data lives.",
        "executors": ["tradewind_provider.executor.RemoteExecutor"],
        "cli": ["tradewind_provider.commands.get_commands"],
        "db-managers": ["tradewind_provider.store.manager.TradewindDBManager"],
        "config": {
            "tradewind": {
                "description": "Tradewind, remote execution. Every interval an agent uses is decided here.",
                "options": OPTIONS,
            }
        },
    }
