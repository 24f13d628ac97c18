"""Who asks, what for, and when: what every route of the operator API is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query

from tradewind_protocol import errors
from tradewind_provider import settings
from tradewind_provider.airflow import permissions
from tradewind_provider.airflow.permissions import Action, Permission
from tradewind_provider.clock import utc_now
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services.operator.pages import PageRequest


@dataclass(frozen=True)
class Caller:
    """A signed-in user who may do what the route is for."""

    name: str
    user: Any  # the auth manager's own

    def may(self, permission: Permission) -> bool:
        """Whether this user may do something more than what the route asked for."""
        return permissions.allowed(self.user, permission)

    @property
    def readable_dags(self) -> frozenset[str] | None:
        """The Dags whose work this user may see; None: all, for an operator of the plane."""
        return None if self.may(Permission.OPERATE) else permissions.readable_dags(self.user)


def require(action: Action) -> Callable[..., Caller]:
    """A dependency: the caller, if the auth manager lets them. Raises Refused NOT_PERMITTED otherwise."""

    def caller(user: Annotated[Any, Depends(permissions.get_user)]) -> Caller:
        name = permissions.name_of(user)
        if not permissions.may(user, action):
            raise errors.Refused(
                errors.Code.NOT_PERMITTED,
                f"user {name!r} may not {permissions.in_words(action)}",
                remedy="Ask an administrator of this Airflow for a role that may.",
            )
        return Caller(name=name, user=user)

    return caller


def expected_beats() -> HeartbeatLimits:
    """How often this Deployment expects to hear of its agents."""
    cadence = settings.current().cadence
    return HeartbeatLimits(poll=cadence.poll, lost_after=cadence.lost_after)


def asked_paging(
    limit: Annotated[int, Query(ge=1, le=1000)] = 100, offset: Annotated[int, Query(ge=0, le=2**31)] = 0
) -> PageRequest:
    return PageRequest(limit, offset)


Reader = Annotated[Caller, Depends(require(Action.LOOK))]
AgentOperator = Annotated[Caller, Depends(require(Action.CONTROL_AGENTS))]
TokenReader = Annotated[Caller, Depends(require(Action.SEE_TOKENS))]
TokenMaker = Annotated[Caller, Depends(require(Action.MAKE_TOKENS))]
TokenRotator = Annotated[Caller, Depends(require(Action.ROTATE_TOKENS))]
TokenDeleter = Annotated[Caller, Depends(require(Action.DELETE_TOKENS))]
AddressReader = Annotated[Caller, Depends(require(Action.SEE_ADDRESSES))]
AddressSetter = Annotated[Caller, Depends(require(Action.SET_ADDRESSES))]
SiteAccessReader = Annotated[Caller, Depends(require(Action.SEE_SITE_ACCESS))]
SiteAdministrator = Annotated[Caller, Depends(require(Action.CHANGE_SITES))]
Auditor = Annotated[Caller, Depends(require(Action.READ_EVENTS))]
Now = Annotated[datetime, Depends(utc_now)]
Expected = Annotated[HeartbeatLimits, Depends(expected_beats)]
Part = Annotated[PageRequest, Depends(asked_paging)]
Filter = Annotated[str | None, Query(max_length=1000, pattern=r"^[^\x00]*$")]
Why = Annotated[str, Query(max_length=1000, description="Why; kept in the audit trail.")]
