"""What the workload of an offer says: pure functions."""

from __future__ import annotations

from typing import Any

from tradewind_protocol.attempts import Offer, WorkKind
from tradewind_protocol.boundary import OwnRun, Unseal, callback_workload


def workload(offer: Offer, sent: dict[str, Any], open_: Unseal) -> dict[str, Any]:
    """`sent` as the worker process gets it: a callback with the arguments that the site declared."""
    return callback_workload(sent, open_) if offer.kind is WorkKind.CALLBACK else sent


def own_run(offer: Offer) -> OwnRun | None:
    """The run whose task it is; None for other work."""
    ti = offer.workload.get("ti")
    if not isinstance(ti, dict) or offer.kind is not WorkKind.TASK:
        return None
    index = ti.get("map_index")
    return OwnRun(
        str(ti.get("dag_id")),
        str(ti.get("run_id")),
        str(ti.get("task_id")),
        index if isinstance(index, int) else -1,
    )


def subject(offer: Offer) -> str:
    """The id the attempt may speak for at the Execution API, as Airflow's workload names it."""
    part = {WorkKind.TASK: "ti", WorkKind.CALLBACK: "callback"}.get(offer.kind)
    inner = offer.workload if part is None else offer.workload.get(part)
    for key in ("id", "connection_test_id"):
        if isinstance(inner, dict) and isinstance(inner.get(key), str):
            return str(inner[key])
    return ""
