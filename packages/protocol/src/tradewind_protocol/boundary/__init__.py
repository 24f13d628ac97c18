"""The data boundary: what of Airflow's Execution API may pass between a site and the plane.

Pure functions of a request. The agent's gateway asks them before anything leaves the site; the door on the plane asks
them again, so that neither side has to trust the other. Nothing here reads a file, a clock or a socket.

`classify` finds the route, `admit` says whether this caller may use it, `decide` applies the rules to the body.
To classify a new route of Airflow: add it to `routes.py`, say there who may call it and how its body is treated, then
`outage.py` of the agent's gateway; `docs/reference/data-boundary.md` is made from the table.
"""

from tradewind_protocol.boundary.callers import Caller, admit
from tradewind_protocol.boundary.decisions import Answer, Change, Decision, Pass, Refuse
from tradewind_protocol.boundary.references import SCHEMES, is_reference
from tradewind_protocol.boundary.routes import ROUTES, Found, Owner, Route, Treatment, classify
from tradewind_protocol.boundary.rules import Rules, decide, unknown

__all__ = [
    "ROUTES",
    "SCHEMES",
    "Answer",
    "Caller",
    "Change",
    "Decision",
    "Found",
    "Owner",
    "Pass",
    "Refuse",
    "Route",
    "Rules",
    "Treatment",
    "admit",
    "classify",
    "decide",
    "is_reference",
    "unknown",
]
