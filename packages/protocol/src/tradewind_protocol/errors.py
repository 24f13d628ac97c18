"""What a refusal looks like on the wire, and every code there is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from itertools import islice
from typing import Any, Final

from tradewind_protocol.messages import Message


class Code(str, Enum):
    """Why a request was refused. Stable: clients act on these, never on the sentence."""

    # who you are
    TOKEN_MISSING = "token_missing"
    TOKEN_MALFORMED = "token_malformed"
    TOKEN_UNKNOWN = "token_unknown"
    TOKEN_EXPIRED = "token_expired"
    TOKEN_DELETED = "token_deleted"
    WRONG_DEPLOYMENT = "wrong_deployment"
    WRONG_SITE = "wrong_site"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    NOT_PERMITTED = "not_permitted"
    RATE_LIMITED = "rate_limited"
    # your session
    SESSION_UNKNOWN = "session_unknown"
    SESSION_EXPIRED = "session_expired"
    SESSION_FENCED = "session_fenced"
    VERSION_SKEW = "version_skew"
    # your work
    ATTEMPT_UNKNOWN = "attempt_unknown"
    ATTEMPT_NOT_YOURS = "attempt_not_yours"
    LEASE_LOST = "lease_lost"
    BUNDLE_NOT_YOURS = "bundle_not_yours"
    TRIGGER_NOT_YOURS = "trigger_not_yours"
    COMPONENT_NOT_YOURS = "component_not_yours"
    # what you sent
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    POLICY_REFUSED = "policy_refused"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    LIMIT_REACHED = "limit_reached"
    MISDIRECTED = "misdirected"
    # us
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


STATUS: Final[dict[Code, int]] = {
    Code.TOKEN_MISSING: 401,
    Code.TOKEN_MALFORMED: 401,
    Code.TOKEN_UNKNOWN: 401,
    Code.TOKEN_EXPIRED: 403,
    Code.TOKEN_DELETED: 403,
    Code.WRONG_DEPLOYMENT: 403,
    Code.WRONG_SITE: 403,
    Code.ADDRESS_NOT_ALLOWED: 403,
    Code.NOT_PERMITTED: 403,
    Code.RATE_LIMITED: 429,
    Code.SESSION_UNKNOWN: 401,
    Code.SESSION_EXPIRED: 401,
    Code.SESSION_FENCED: 409,
    Code.VERSION_SKEW: 426,
    Code.ATTEMPT_UNKNOWN: 404,
    Code.ATTEMPT_NOT_YOURS: 403,
    Code.LEASE_LOST: 409,
    Code.BUNDLE_NOT_YOURS: 403,
    Code.TRIGGER_NOT_YOURS: 403,
    Code.COMPONENT_NOT_YOURS: 403,
    Code.MALFORMED: 422,
    Code.TOO_LARGE: 413,
    Code.POLICY_REFUSED: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.LIMIT_REACHED: 409,
    Code.MISDIRECTED: 421,  # another API server has what this is for: send it again on a new connection
    Code.UNAVAILABLE: 503,
    Code.INTERNAL: 500,
}
"""The HTTP status that goes with each code."""

FATAL_FOR_AGENT: Final = frozenset(
    {
        Code.TOKEN_MISSING,
        Code.TOKEN_MALFORMED,
        Code.TOKEN_UNKNOWN,
        Code.TOKEN_EXPIRED,
        Code.TOKEN_DELETED,
        Code.WRONG_DEPLOYMENT,
        Code.WRONG_SITE,
        Code.VERSION_SKEW,
    }
)
"""Codes no retry cures: a person has to change the token or a version. ADDRESS_NOT_ALLOWED is left out on purpose:
an allow-list is often changed by an operator while the agent waits, so it is retried, slowly, and logged as an error."""

REOPEN_SESSION: Final = frozenset({Code.SESSION_UNKNOWN, Code.SESSION_EXPIRED})
"""Codes that a new session cures."""


class Refusal(Message):
    """The body of every answer that is not 2xx."""

    error: Code
    message: str  # names the thing and the cause, for a person
    remedy: str = ""  # what to do about it
    detail: dict[str, Any] = {}


def malformed(errors: Iterable[Mapping[str, Any]]) -> Refusal:
    """The refusal of a request whose body or parameters are not valid, from the errors of Pydantic. What was sent is left out: it
    may hold a secret, and its sender has it anyway."""
    wrong = [
        {"where": ".".join(str(part) for part in one["loc"]), "what": one["msg"]}
        for one in islice(errors, 20)
    ]
    first = f"{wrong[0]['where']}: {wrong[0]['what']}" if wrong else "unreadable"
    return Refusal(
        error=Code.MALFORMED, message=f"the request is not valid: {first}", detail={"errors": wrong}
    )


class Refused(Exception):
    """A request refused for a reason. Raised by the plane's services and by the agent's client alike."""

    def __init__(self, code: Code, message: str, *, remedy: str = "", **detail: Any) -> None:
        super().__init__(f"{message} ({code.value})" + (f". {remedy}" if remedy else ""))
        self.refusal = Refusal(error=code, message=message, remedy=remedy, detail=detail)

    @classmethod
    def as_told(cls, refusal: Refusal) -> Refused:
        """The exception for a refusal that was received, whatever its `detail` holds."""
        refused = cls(refusal.error, refusal.message, remedy=refusal.remedy)
        refused.refusal = refusal
        return refused

    @property
    def code(self) -> Code:
        return self.refusal.error

    @property
    def status(self) -> int:
        return STATUS[self.refusal.error]
