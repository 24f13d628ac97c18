"""The data boundary: what of Airflow's Execution API and of our own verbs may pass between a site and the plane.

Pure functions of a request. The agent's gateway asks them before anything leaves the site; the proxy on the plane asks
them again, so that neither side has to trust the other. Nothing here reads a file, a clock or a socket.

`classify` finds the route, `admit` says whether this caller may use it, `decide` applies the rules to the body.
`decide_verb` applies them to a verb of our own; `reduced` is a serialized Dag without its author's text.
To classify a new route of Airflow: add it to `routes.py`, say there who may call it and how its body is treated, then
`outage.py` of the agent's gateway; `docs/reference/data-boundary.md` is made from the table.
"""

from tradewind_protocol.boundary.callers import Caller, admit
from tradewind_protocol.boundary.dag_text import KeptField
from tradewind_protocol.boundary.decisions import Change, Decision, LocalAnswer, Pass, Rejection
from tradewind_protocol.boundary.declarations import UNDECLARED, dag_of_callback, declare, why_undeclared
from tradewind_protocol.boundary.notices import Digest, derived, is_notice, keyed, without_notices
from tradewind_protocol.boundary.reads import OwnRun, Read, ReadKind, outside, parameters
from tradewind_protocol.boundary.references import SCHEMES, is_reference
from tradewind_protocol.boundary.routes import ROUTES, Owner, Route, RouteMatch, Treatment, classify
from tradewind_protocol.boundary.rules import KINDS, Rules, Sealing, decide, unknown
from tradewind_protocol.boundary.sealed_values import StartedBy, ValueSeal, event_of
from tradewind_protocol.boundary.sealing import KEY_ID, SEALED, CannotOpen, Seal, Unseal, has_seal, is_sealed
from tradewind_protocol.boundary.serialized_dags import ReducedDag, not_reduced, reduced
from tradewind_protocol.boundary.site_responses import (
    callback_workload,
    execution_answer,
    for_site,
    started_by,
    triggers_answer,
)
from tradewind_protocol.boundary.tracebacks import without_code, without_quoted_source, without_source
from tradewind_protocol.boundary.verbs import VERBS, OwnTask, TriggerEvents, Verb, decide_verb, verb

__all__ = [
    "KEY_ID",
    "CannotOpen",
    "OwnTask",
    "Sealing",
    "StartedBy",
    "TriggerEvents",
    "ValueSeal",
    "event_of",
    "KINDS",
    "ROUTES",
    "SCHEMES",
    "SEALED",
    "UNDECLARED",
    "VERBS",
    "LocalAnswer",
    "Caller",
    "Change",
    "Decision",
    "Digest",
    "RouteMatch",
    "KeptField",
    "Unseal",
    "Owner",
    "OwnRun",
    "Pass",
    "Read",
    "ReadKind",
    "ReducedDag",
    "Rejection",
    "Route",
    "Rules",
    "Seal",
    "Treatment",
    "Verb",
    "admit",
    "callback_workload",
    "classify",
    "dag_of_callback",
    "decide",
    "decide_verb",
    "declare",
    "derived",
    "execution_answer",
    "for_site",
    "has_seal",
    "is_notice",
    "is_reference",
    "is_sealed",
    "keyed",
    "not_reduced",
    "outside",
    "parameters",
    "reduced",
    "started_by",
    "triggers_answer",
    "unknown",
    "verb",
    "why_undeclared",
    "without_code",
    "without_notices",
    "without_quoted_source",
    "without_source",
]
