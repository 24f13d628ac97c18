"""The shortcuts of an API server, in the order in which they are installed."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp

from tradewind_provider.airflow.execution_api import ExecutionApi
from tradewind_provider.shortcuts.direct_dispatch import DirectDispatch
from tradewind_provider.shortcuts.frozen_heap import FrozenHeap
from tradewind_provider.shortcuts.middleware_bypass import MiddlewareBypass
from tradewind_provider.shortcuts.single_thread import SingleThread
from tradewind_provider.shortcuts.switch import Shortcut


def of_api_server(
    server: Any, ingress: ASGIApp, first: type, *, execution_api: ExecutionApi, access_log: bool
) -> tuple[Shortcut, ...]:
    """Those of the API server `server`, once it has started.

    `ingress` is what the outermost of our middlewares, of class `first`, passes requests on to. `access_log`: each
    request of an agent is to have a line in Airflow's access log.
    """
    return (
        MiddlewareBypass(server, ingress, first, access_log=access_log),
        DirectDispatch(execution_api),
        SingleThread(execution_api),
        FrozenHeap(),
    )
