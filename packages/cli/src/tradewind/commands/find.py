"""Finds the agent or token that a name or an ID means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from tradewind.client.operator_client import OperatorClient
from tradewind.errors import Refused
from tradewind_protocol import errors, operator, states

View = TypeVar("View", operator.AgentView, operator.TokenView)


def agent(client: OperatorClient, text: str) -> operator.AgentView:
    """The agent of that id or name; of several with one name, the one that is not gone.

    Raises Refused when there is none, or when the name alone does not tell which.
    """
    if (found := _id(text)) is not None:
        return client.agent(found)
    named = client.agents(name=text, limit=100).items
    present = [view for view in named if view.state not in states.GONE]
    return _only("agent", text, present or named)


def token(client: OperatorClient, text: str) -> operator.TokenView:
    """The agent token of that id or name. Raises Refused when there is none, or several."""
    if (found := _id(text)) is not None:
        return client.token_view(found)
    return _only("agent token", text, client.tokens(name=text, limit=100).items)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _only(kind: str, text: str, found: Sequence[View]) -> View:
    if not found:
        refusal = errors.Refusal(error=errors.Code.NOT_FOUND, message=f"there is no {kind} {text!r}")
        raise Refused(refusal)
    if len(found) > 1:
        ids = ", ".join(str(view.id) for view in found)
        raise Refused(
            errors.Refusal(
                error=errors.Code.CONFLICT,
                message=f"{len(found)} {kind}s are named {text!r}",
                remedy=f"Give the id of the one you mean: {ids}",
            )
        )
    return found[0]
