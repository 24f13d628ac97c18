"""What the plane has seen of agents that come from somewhere, refused ones included."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.errors import Code
from tradewind_protocol.explanations import EXPLANATIONS
from tradewind_provider.domain.addresses import AddressGate
from tradewind_provider.services import allow_list, refused_tries
from tradewind_provider.store.tables import AgentSession, RefusedTry

_WRONG_PATH = "let plane_url be the address that Register shows: its host name, and the Deployment's path behind it if it has one"


def check(db: Session, *, source: str, endpoint: str, configured: AddressGate) -> operator.Connectivity:
    """Of one address, of one endpoint, of an address by an endpoint, or, without both, of all."""
    rows = refused_tries.last(
        db, source=source, endpoint=(endpoint or None) if endpoint or not source else None
    )
    agents = _connected(db, source, endpoint)
    refused = tuple(view_of(row) for row in rows)
    if not source and not endpoint:
        return operator.Connectivity(agents=agents, refused=refused)
    gate = allow_list.read(db, initial=configured.allowed).gate(configured)
    admitted, why = _judged(gate, source, endpoint)
    verdict, remedy = _verdict(admitted, why, agents, refused)
    return operator.Connectivity(
        source=source,
        endpoint=endpoint,
        admitted=admitted,
        why=why,
        agents=agents,
        refused=refused,
        verdict=verdict,
        remedy=remedy,
    )


def last_refused(db: Session, session: AgentSession) -> operator.RefusedTryView | None:
    """Of tries from where an agent comes, and its way."""
    if not session.address:
        return None
    rows = refused_tries.last(db, source=session.address, endpoint=session.endpoint or "", limit=1)
    return view_of(rows[0]) if rows else None


def view_of(row: RefusedTry) -> operator.RefusedTryView:
    code = Code(row.code)
    return operator.RefusedTryView(
        source=row.source,
        endpoint=row.endpoint,
        code=code,
        message=row.message,
        remedy=_WRONG_PATH if code is Code.NOT_FOUND else EXPLANATIONS[code].remedy,
        path=row.path,
        version=row.version,
        tries=row.tries,
        first_at=row.first_at,
        last_at=row.last_at,
    )


def _connected(db: Session, source: str, endpoint: str) -> tuple[str, ...]:
    statement = (
        select(AgentSession.name)
        .where(AgentSession.ended_at.is_(None), AgentSession.lost_at.is_(None))
        .order_by(AgentSession.name)
        .limit(100)
    )
    if source:
        statement = statement.where(AgentSession.address == source)
    if endpoint:
        statement = statement.where(AgentSession.endpoint == endpoint)
    return tuple(db.scalars(statement))


def _judged(gate: AddressGate, source: str, endpoint: str) -> tuple[bool, str]:
    admitted = gate.admits(source, endpoint)
    if not gate.restricts:
        return admitted, "agents may connect from anywhere"
    if endpoint:
        place = "is on" if admitted else "is not on"
        return admitted, f"the private endpoint {endpoint} {place} the Deployment's list"
    if gate.private_only:
        return admitted, "the public way is shut: agents may connect by private endpoints only"
    if not gate.allowed:
        return admitted, "the list has private endpoints only, and the public way is open"
    return admitted, f"{source} {'is' if admitted else 'is not'} in an allowed network"


def _verdict(
    admitted: bool, why: str, agents: tuple[str, ...], refused: tuple[operator.RefusedTryView, ...]
) -> tuple[str, str]:
    if not admitted:
        return f"Requests from there are refused: {why}.", EXPLANATIONS[Code.ADDRESS_NOT_ALLOWED].remedy
    others = [one for one in refused if one.code is not Code.ADDRESS_NOT_ALLOWED]
    if agents and not others:
        return f"Agents are connected from there: {', '.join(agents[:10])}.", ""
    if others:
        last = others[0]
        connected = f" {len(agents)} connected from there." if agents else ""
        return (
            f"Requests from there reach the plane, and the last one was refused: {last.message}.{connected}",
            last.remedy,
        )
    if refused:
        return (
            "Requests from there were refused by the list before, which admits them now.",
            "wait until the agent tries again",
        )
    return (
        "The plane has seen no agent from there.",
        "no request arrives: run `tradewind-agent doctor` at the site, which names the first step that fails",
    )
