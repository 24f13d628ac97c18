"""Whether a token that agents, scalers and sentinels present is good."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.ids import TokenKind
from tradewind_provider.services import deployment, tokens
from tradewind_provider.services.credential_hashes import hashed
from tradewind_provider.store.tables import AgentToken, FormerTokenValue

AGENTS: Final = frozenset({TokenKind.AGENT})
SENTINELS: Final = frozenset({TokenKind.SENTINEL})
ANY: Final = frozenset(TokenKind)

_PERMITS: Final = {
    TokenKind.AGENT: "opens sessions of agents",
    TokenKind.SCALER: "reads queue numbers and nothing else",
    TokenKind.SENTINEL: "reports for a sentinel, reads queue numbers and nothing else",
}


def authenticate(
    db: Session, presented: str, *, now: datetime, kinds: Collection[TokenKind] = AGENTS
) -> AgentToken:
    """The token that is presented, of one of these kinds. Notes that it was used at this moment.

    Raises Refused TOKEN_MISSING, TOKEN_MALFORMED, TOKEN_UNKNOWN, WRONG_DEPLOYMENT, TOKEN_DELETED, TOKEN_EXPIRED, or
    NOT_PERMITTED for a good token of another kind.
    """
    _require_form(presented)
    token, former = _found(db, presented, now)
    require_living(token, now)
    if former is not None and former.good_until <= now:
        raise Refused(
            Code.TOKEN_EXPIRED,
            f"{former.shown} is a value of {tokens.replacement_of(token, former)}",
            remedy="give the agent the token's present value",
            token=token.name,
        )
    kind = TokenKind(token.kind)
    if kind not in kinds:
        raise Refused(
            Code.NOT_PERMITTED,
            f"the token {token.name!r} is a token of kind {kind.value}: it {_PERMITS[kind]}",
            remedy="use a token of kind " + " or ".join(one.value for one in TokenKind if one in kinds),
            token=token.name,
        )
    token.last_used_at = now
    return token


def require_living(token: AgentToken, now: datetime) -> None:
    """Raises Refused TOKEN_DELETED or TOKEN_EXPIRED for a token that is."""
    if token.deleted_at is not None:
        raise Refused(
            Code.TOKEN_DELETED,
            f"the agent token {token.name!r} was deleted at {token.deleted_at:%Y-%m-%d %H:%M} UTC",
            remedy="ask for another agent token",
            token=token.name,
        )
    if token.expires_at is not None and token.expires_at <= now:
        raise Refused(
            Code.TOKEN_EXPIRED,
            f"the agent token {token.name!r} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC",
            remedy="ask for another agent token",
            token=token.name,
        )


def _require_form(presented: str) -> None:
    if not presented:
        raise Refused(Code.TOKEN_MISSING, "no agent token was sent", remedy="give the agent its token")
    if TokenKind.of(presented) is None:
        raise Refused(
            Code.TOKEN_MALFORMED,
            "what was sent is not an agent token",
            remedy=f"agent tokens begin with {ids.AGENT_TOKEN_PREFIX} and have 43 characters more; was it cut?",
        )


def _found(db: Session, presented: str, now: datetime) -> tuple[AgentToken, FormerTokenValue | None]:
    """The token, and the former value of it that is presented; None for its present value."""
    digest = hashed(presented)
    token = db.scalar(select(AgentToken).where(AgentToken.token_hash == digest))
    former = None
    if token is None and (former := db.get(FormerTokenValue, digest)) is not None:
        token = db.get(AgentToken, former.token_id)
    if token is not None and hmac.compare_digest((former or token).token_hash, digest):
        return token, former
    if (mark := ids.mark_of(presented)) and mark != deployment.mark(db, now=now):
        raise Refused(
            Code.WRONG_DEPLOYMENT,
            f"the agent token {ids.shown(presented)} was made in another Deployment than this one",
            remedy="correct plane_url, or ask for an agent token of this Deployment",
        )
    raise Refused(
        Code.TOKEN_UNKNOWN,
        f"this Deployment knows no agent token {ids.shown(presented)}",
        remedy="check that it was copied whole, and that plane_url is that of the Deployment it was made in",
    )
