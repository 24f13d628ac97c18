"""What Airflow's secrets masker of this process knows, taken out of text and values that leave a strict site."""

from __future__ import annotations

from typing import Any

from airflow.sdk._shared.secrets_masker import redact


def masked(value: Any) -> Any:
    """`value` with each secret Airflow knows replaced by `***`, in texts, lists and maps.

    Text by text, and not as Airflow does for logs: that also replaces whatever a key named `token` holds, which a task
    may be waiting for.
    """
    if isinstance(value, str):
        return str(redact(value))
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    return value
