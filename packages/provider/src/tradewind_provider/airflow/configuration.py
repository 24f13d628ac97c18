"""Airflow's configuration: the `[tradewind]` section, and the few options of Airflow's own that we follow."""

from __future__ import annotations

from airflow.configuration import AIRFLOW_HOME, conf

from tradewind_provider.options import OPTIONS

SECTION = "tradewind"


def options() -> dict[str, str]:
    """Every option of ours as text, defaults included."""
    found = {}
    for name, option in OPTIONS.items():
        value = conf.get(SECTION, name, fallback=option["default"])
        found[name] = "" if value is None else str(value)
    return found


def instance_name() -> str:
    return str(conf.get("api", "instance_name", fallback="") or "")


def default_queue() -> str:
    """Where work without a queue of its own goes: callbacks and connection tests."""
    return str(conf.get("operators", "default_queue", fallback="default"))


def base_url() -> str:
    """Where people reach Airflow's UI; empty when the owner has not said so."""
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def secret_key() -> str:
    """What this plane signs its own cookies with."""
    return str(conf.get("api", "secret_key"))


def token_seconds() -> int:
    """How long a token of Airflow's is good for."""
    return int(conf.getint("api_auth", "jwt_expiration_time"))


def airflow_home() -> str:
    return str(AIRFLOW_HOME)
