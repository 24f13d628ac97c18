"""The rules of a site, and what they say about one request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from tradewind_protocol.boundary import carried, sealed_values
from tradewind_protocol.boundary.control_keys import is_control
from tradewind_protocol.boundary.dag_text import KeptField
from tradewind_protocol.boundary.decisions import Change, Decision, LocalAnswer, Pass, Rejection
from tradewind_protocol.boundary.notices import NOTICE
from tradewind_protocol.boundary.reads import OwnRun
from tradewind_protocol.boundary.references import SCHEMES, is_reference
from tradewind_protocol.boundary.routes import RouteMatch, Treatment, ambiguous
from tradewind_protocol.boundary.sealed_values import StartedBy, ValueSeal
from tradewind_protocol.boundary.sealing import Seal, has_seal, is_sealed, sealed
from tradewind_protocol.errors import Code
from tradewind_protocol.sessions import Policy

LINK: Final = "_link_"
"""How Airflow's XCom keys of operator extra links begin."""


KINDS: Final = (
    "xcom",
    "connections",
    "variables",
    "templates",
    "store",
    "links",
    "dags",
    "triggers",
    "source",
)
"""Kinds of data that a setting can open or close by itself."""


@dataclass(frozen=True)
class Rules:
    """What may leave a site, kind by kind. `Rules.of(policy)` sets all of them alike."""

    xcom: Policy = Policy.STRICT
    connections: Policy = Policy.STRICT
    variables: Policy = Policy.STRICT
    templates: Policy = Policy.STRICT
    store: Policy = Policy.STRICT
    links: Policy = Policy.STRICT
    dags: Policy = Policy.STRICT
    triggers: Policy = Policy.STRICT
    source: Policy = Policy.STRICT
    schemes: frozenset[str] = SCHEMES  # what counts as a reference
    dag_fields: tuple[KeptField, ...] = ()  # of Dags, that leave although `dags` is strict

    @classmethod
    def of(cls, policy: Policy, *, schemes: frozenset[str] = SCHEMES) -> Rules:
        return cls(policy, policy, policy, policy, policy, policy, policy, policy, policy, schemes)

    @property
    def policy(self) -> Policy:
        """What to ask the plane for: strict only when nothing at all is open, so that its proxy never refuses more."""
        return Policy.STRICT if replace(self, schemes=SCHEMES) == Rules() else Policy.OPEN

    def at_least(self, policy: Policy) -> Rules:
        """These rules, made strict throughout when the Deployment asks for it."""
        return Rules.of(policy, schemes=self.schemes) if policy is Policy.STRICT else self


@dataclass(frozen=True)
class Sealing:
    """What a gateway seals a request with. The plane has none of it."""

    seal: Seal  # with the site's key
    values: ValueSeal | None = None  # with the key ring of the site's owner, when there is one
    own: OwnRun | None = None  # of the attempt that asks
    query: bytes = b""
    at: int = 0  # seconds since 1970


def decide(found: RouteMatch, body: bytes, rules: Rules, sealing: Sealing | None = None) -> Decision:
    """What happens to a request whose route is known. Never raises; a body that is not JSON is refused where it counts.

    `sealing` is the site's: what a task passes on to its trigger and to itself leaves sealed, under open rules beside its
    readable form. With a key ring values leave sealed that would be refused. The plane has none and lets what is sealed
    pass as it comes.
    """
    route = found.route
    if route.treatment is Treatment.XCOM:
        return _xcom(found, body, rules, sealing)
    if route.treatment is Treatment.STORE:
        return _store(found, body, rules, sealing)
    if route.treatment is Treatment.STATE and sealing is not None:
        return _sealed(found, body, sealing, readable=rules.triggers is Policy.OPEN)
    if route.treatment is Treatment.RUN and sealing is not None and sealing.values is not None:
        return _run(found, body, sealing.values, sealing)
    if (rule := _RULES.get(route.treatment)) is not None:
        return rule(found, body, rules)
    return Pass(_carried(route.carries, body))


def unknown(method: str, path: str, rules: Rules) -> Decision:
    """What happens to a request whose route is not known: refused unless everything is open. A path that could be read
    in two ways is refused always."""
    if why := ambiguous(path):
        return Rejection(
            Code.MALFORMED,
            f"{method} {path[:200]!r} cannot be sent: {why}",
            "choose another key or id; every other character may be in it",
        )
    if rules == Rules.of(Policy.OPEN, schemes=rules.schemes):
        return Pass()
    return Rejection(
        Code.POLICY_REFUSED,
        f"{method} {path[:200]} is not a route the data boundary knows",
        "upgrade Tradewind to a release that knows this Airflow, or set the agent's policy to open",
    )


# ---- one function per treatment


def _xcom(found: RouteMatch, body: bytes, rules: Rules, sealing: Sealing | None) -> Decision:
    key = found.params["key"]
    if key.startswith(LINK) and rules.links is Policy.STRICT:
        # An error here would show up in every task with an extra link, for a link that the Dag's author did not ask for.
        return LocalAnswer(201, b'{"message": "XCom successfully set"}', f"link {key} stays at the site")
    if rules.xcom is Policy.OPEN:
        return Pass((f"xcom {key}",))
    try:
        value = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        return Rejection(Code.MALFORMED, f"the XCom {key!r} is not JSON")
    if value is None:
        return Pass()
    if is_reference(value, rules.schemes) and not _seals_references(sealing):
        return Pass((carried.REFERENCES,))
    if is_control(key, value):
        return Pass((f"xcom {key}",))
    if sealing is None and is_sealed(value):
        return Pass((carried.SEALED_VALUES,))
    if sealing is not None and sealing.values is not None:
        return _value_sealed(sealed_values.xcom(sealing.values, found, sealing.query, value))
    task = f"task {found.params['task_id']!r} of Dag {found.params['dag_id']!r}"
    return Rejection(
        Code.POLICY_REFUSED,
        f"the XCom {key!r} of {task} is {_described(value, body)}; "
        "this site's data policy lets an XCom leave only as a reference to the site's own storage",
        "set [core] xcom_backend = tradewind_runtime.xcom.SiteXComBackend in the task environment (or another backend "
        "that keeps values in object storage with threshold 0), give the site a key ring (seal), or set the agent's policy "
        "for xcom to open",
    )


def _seals_references(sealing: Sealing | None) -> bool:
    return sealing is not None and sealing.values is not None and sealing.values.references


def _value_sealed(form: Any) -> Change:
    return Change(json.dumps(form).encode(), "the value was sealed", (carried.SEALED_VALUES,))


def _sealed(found: RouteMatch, body: bytes, sealing: Sealing, *, readable: bool) -> Decision:
    """How a try ends. What it passes on when it defers, to a trigger and to the method that resumes, leaves sealed; with a
    key ring the extras of asset events do."""
    names = found.route.carries
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return Pass(names)
    if not isinstance(sent, dict):
        return Pass(names)
    seal, by = (sealing.values.seal, sealing.values.by) if sealing.values is not None else (sealing.seal, "")
    changed = []
    for name, bound in (("trigger_kwargs", "classpath"), ("next_kwargs", "next_method")):
        arguments = sent.get(name) or {}
        if isinstance(sent.get(bound), str) and isinstance(arguments, dict) and not has_seal(arguments):
            place = (found.params.get("task_instance_id", ""), name)
            sent[name] = sealed(seal, sent[bound], place, arguments, readable=readable, by=by)
            changed.append(name)
    kept = () if readable else tuple(changed)
    also = (carried.SEALED,) if changed else ()
    if _seals_events(sent, sealing):
        changed.append("outlet_events")
        kept, also = (*kept, "outlet_events"), (*also, carried.SEALED_VALUES)
    carries = tuple(name for name in names if sent.get(name) and name not in kept)
    if not changed:
        return Pass(carries)
    return Change(json.dumps(sent).encode(), f"{' and '.join(changed)} sealed", (*carries, *also))


def _seals_events(sent: dict[str, Any], sealing: Sealing) -> bool:
    events = sent.get("outlet_events")
    if sealing.values is None or not sealing.values.asset_events or sealing.own is None:
        return False
    return isinstance(events, list) and sealed_values.outlet_events(sealing.values, sealing.own, events) > 0


def _run(found: RouteMatch, body: bytes, values: ValueSeal, sealing: Sealing) -> Decision:
    """A run that a task starts."""
    names = found.route.carries
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return Pass(names)
    dag_id = found.params["dag_id"]
    conf = sent.get("conf") if isinstance(sent, dict) else None
    if not isinstance(conf, dict) or not conf or not values.seals_parameters(dag_id):
        return Pass(_carried(names, body))
    by = StartedBy(sealing.own.dag_id if sealing.own is not None else "", sealing.at)
    sent["conf"] = sealed_values.parameters_of_run(values, dag_id, found.params["run_id"], conf, by)
    carries = tuple(name for name in names if sent.get(name) and name != "conf")
    return Change(json.dumps(sent).encode(), "the parameters were sealed", (*carries, carried.SEALED_VALUES))


def _store(found: RouteMatch, body: bytes, rules: Rules, sealing: Sealing | None) -> Decision:
    if rules.store is Policy.OPEN:
        return Pass(("value",))
    try:
        sent = json.loads(body)
        value = sent["value"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return Rejection(Code.MALFORMED, "a state store value is not of the form {value: …}")
    # Airflow's worker wraps what a state store backend returns; a backend that has none returns the value as JSON.
    wrapped = (
        value["__airflow_state_ref__"]
        if isinstance(value, dict) and set(value) == {"__airflow_state_ref__"}
        else value
    )
    if wrapped is None:
        return Pass()
    if is_reference(wrapped, rules.schemes) and not _seals_references(sealing):
        return Pass((carried.REFERENCES,))
    if sealing is None and is_sealed(value):
        return Pass((carried.SEALED_VALUES,))
    if sealing is not None and sealing.values is not None:
        sent["value"] = sealed_values.state(sealing.values, found, sealing.query, sealing.own, value)
        return _value_sealed(sent)
    return Rejection(
        Code.POLICY_REFUSED,
        f"a state store value is {_described(value, body)}; "
        "this site's data policy lets one leave only as a reference to the site's own storage",
        "set [workers] state_store_backend in the task environment to a backend that returns URLs of the site's "
        "storage, give the site a key ring (seal), or set the agent's policy for store to open",
    )


def _templates(found: RouteMatch, body: bytes, rules: Rules) -> Decision:
    if rules.templates is Policy.OPEN:
        return Pass(("rendered fields",))
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return Rejection(Code.MALFORMED, "rendered fields are not JSON")
    if not isinstance(fields, dict):
        return Rejection(Code.MALFORMED, "rendered fields are not an object")
    return Change(
        json.dumps(dict.fromkeys(fields, NOTICE)).encode(),
        f"{len(fields)} rendered fields replaced by a notice",
    )


def _connection(found: RouteMatch, body: bytes, rules: Rules) -> Decision:
    if rules.connections is Policy.OPEN:
        return Pass()
    name = found.params["connection_id"]
    return _not_found(
        f"Connection with ID {name} not found",
        "connections come from the site's own secrets backend or AIRFLOW_CONN_… (data policy: strict); "
        "set the agent's policy for connections to open to read the plane's",
    )


def _variable(found: RouteMatch, body: bytes, rules: Rules) -> Decision:
    if rules.variables is Policy.OPEN:
        return Pass()
    return _not_found(
        f"Variable with key '{found.params['variable_key']}' not found",
        "variables come from the site's own secrets backend or AIRFLOW_VAR_… (data policy: strict); "
        "set the agent's policy for variables to open to read the plane's",
    )


def _variable_keys(found: RouteMatch, body: bytes, rules: Rules) -> Decision:
    if rules.variables is Policy.OPEN:
        return Pass()
    return LocalAnswer(200, b'{"keys": [], "total_entries": 0}', "the plane's variables are not read")


def _variable_write(found: RouteMatch, body: bytes, rules: Rules) -> Decision:
    if rules.variables is Policy.OPEN:
        return Pass(("variable",))
    return Rejection(
        Code.POLICY_REFUSED,
        f"the variable {found.params['variable_key']!r} may not be written to the plane under this site's data policy",
        "keep it in the site's own storage, or set the agent's policy for variables to open",
    )


_Rule = Callable[[RouteMatch, bytes, Rules], Decision]
_RULES: Final[Mapping[Treatment, _Rule]] = {
    Treatment.TEMPLATES: _templates,
    Treatment.CONNECTION: _connection,
    Treatment.VARIABLE: _variable,
    Treatment.VARIABLE_KEYS: _variable_keys,
    Treatment.VARIABLE_WRITE: _variable_write,
}


# ---- helpers


def _not_found(message: str, policy: str) -> LocalAnswer:
    # The Task SDK reads a 404 as "ask the next backend, or take the default"; a 403 would end its search.
    detail = {"reason": "not_found", "message": message, "policy": policy}
    return LocalAnswer(404, json.dumps({"detail": detail}).encode(), message)


def _described(value: Any, body: bytes) -> str:
    """What a refused value looks like, never what it says."""
    return f"a value of type {type(value).__name__} ({len(body)} bytes)"


def _carried(names: tuple[str, ...], body: bytes) -> tuple[str, ...]:
    """Which of the fields are there and not empty."""
    if not names or not body:
        return ()
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        return names
    return tuple(name for name in names if sent.get(name)) if isinstance(sent, dict) else names
