"""What Airflow's API server loads: two applications, root middlewares and the page.

Everything is imported on first use, because Airflow makes an instance of every plugin in every one of its processes
and only the API server asks for applications.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from tradewind_provider.api.plane import Plane


class TradewindPlugin(AirflowPlugin):
    """Mounts the Remote Execution API, the operator API and their middlewares, and shows the Remote Agents page."""

    name = "tradewind"

    @cached_property
    def _plane(self) -> Plane:
        from tradewind_provider.composition import compose

        return compose()

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:
        from tradewind_provider import task_logs
        from tradewind_provider.api.agent import app as agent_app
        from tradewind_provider.api.operator import app as operator_app

        task_logs.install()
        return [
            {
                "name": "Tradewind remote execution",
                "app": agent_app.create_app(self._plane),
                "url_prefix": "/remote-execution",
            },
            {
                "name": "Tradewind operator",
                "app": operator_app.create_app(self._plane.gate),
                "url_prefix": "/tradewind",
            },
        ]

    @cached_property
    def fastapi_root_middlewares(self) -> list[dict[str, Any]]:
        from tradewind_provider.api.agent_requests import AgentRequests
        from tradewind_provider.api.ingress.addresses import AddressCheck
        from tradewind_provider.api.ingress.agent_hosts import AgentHosts
        from tradewind_provider.api.ingress.log_readers import LogReaders
        from tradewind_provider.api.ingress.shortcuts import ShortcutInstaller

        plane = self._plane
        # the last one named is the first one asked
        return [
            {"name": "Tradewind log readers", "middleware": LogReaders},
            {"name": "Tradewind agent requests", "middleware": AgentRequests, "kwargs": {"plane": plane}},
            {
                "name": "Tradewind addresses",
                "middleware": AddressCheck,
                "kwargs": {
                    "gate": plane.gate,
                    "refusal_events": plane.refusal_events,
                    "refused_tries": plane.refused_tries,
                },
            },
            {
                "name": "Tradewind host names",
                "middleware": AgentHosts,
                "kwargs": {"refused_tries": plane.refused_tries},
            },
            {
                "name": "Tradewind shortcuts",
                "middleware": ShortcutInstaller,
                "kwargs": {"execution": plane.execution, "shortcuts": plane.shortcuts},
            },
        ]

    @cached_property
    def react_apps(self) -> list[dict[str, Any]]:
        from tradewind_provider import ui

        return [ui.react_app()]

    @cached_property
    def external_views(self) -> list[dict[str, Any]]:
        from tradewind_provider import ui

        return [ui.api_docs()]
