"""What a process of a task environment is configured with: the first message on its control socket."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol.boundary import Rules
from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy, SessionOpened
from tradewind_protocol.states import Component


def of_component(
    component: Component,
    environment: EnvironmentSettings,
    *,
    settings: Settings,
    session: SessionOpened | None,
    rules: Rules,
    site_key: SiteKey,
    gateway: Path,
    secret: str,
    logs: Path,
    waiting_logs: Path,
) -> Configure:
    """Of a component that talks to the gateway with `secret`, under the data boundary that the plane and the site agree on."""
    rules = rules.at_least(session.policy if session is not None else settings.policy)
    of_dags = component is Component.DAG_PROCESSOR
    return Configure(
        component=component,
        agent_name=settings.name,
        gateway=str(gateway),
        secret=secret,
        policy=rules.policy,
        xcom=rules.xcom,
        store=rules.store,
        slots=settings.trigger_capacity if component is Component.TRIGGERER else environment.slots,
        log_directory=str(logs),
        content_key=_content_key(site_key, rules) if of_dags else "",
        key_print=site_key.fingerprint,
        options={
            **_storage(settings),
            "sealed_below": settings.seal.values_below if settings.seal.has_ring else 0,
            "waiting_logs": str(waiting_logs),
            "upload_logs_every": settings.upload_logs_every,
            "secrets_cache_seconds": settings.secrets_cache_seconds,
            "accelerators": list(settings.accelerators),
            "base_url": (session.base_url if session is not None else "") or settings.plane_url,
            "connections": rules.connections.value,
            "variables": rules.variables.value,
            "bundles": list(settings.bundles),  # empty: what the environment's own Airflow configuration says
            **_OPTIONS[component](settings, environment),
            "send_source": rules.source is Policy.OPEN,
        },
    )


def of_question(settings: Settings, *, storage: bool = True, logs: Path | None = None) -> Configure:
    """Of a program that answers a question of the agent's, and speaks to no gateway. `storage`: whether the question is about
    the site's storage. The policy is strict, whatever holds now: under it the environment knows where values would be."""
    return Configure(
        component=Component.WORKER,
        agent_name=settings.name,
        gateway="",
        secret="",
        policy=Policy.STRICT,
        log_directory="" if logs is None else str(logs),
        options=_storage(settings) if storage else {},
    )


def _storage(settings: Settings) -> dict[str, Any]:
    return {"state_directory": str(settings.state_dir), "storage": settings.storage}


def _of_worker(settings: Settings, environment: EnvironmentSettings) -> dict[str, Any]:
    return {
        "preload": list(environment.preload),
        "learn": environment.learn,
        "traces": bool(settings.traces_endpoint),
    }


def _of_dag_processor(settings: Settings, environment: EnvironmentSettings) -> dict[str, Any]:
    return {}


def _of_triggerer(settings: Settings, environment: EnvironmentSettings) -> dict[str, Any]:
    return {"queues": list(settings.trigger_queues), "traces": bool(settings.traces_endpoint)}


_OPTIONS: Final[dict[Component, Callable[[Settings, EnvironmentSettings], dict[str, Any]]]] = {
    Component.WORKER: _of_worker,
    Component.DAG_PROCESSOR: _of_dag_processor,
    Component.TRIGGERER: _of_triggerer,
}
"""What a component's configuration has beside what all have."""


def _content_key(site_key: SiteKey, rules: Rules) -> str:
    """What the dag processor hashes a file's result under. Another one when other fields may leave or what they are sealed with
    has changed: then everything the plane holds is sent again."""
    may_leave = f"{rules.dags.value} {rules.source.value} {sorted(map(str, rules.dag_fields))}"
    return site_key.under(f"content {site_key.fingerprint} {may_leave}")
