"""Why a sign-in at the identity provider comes to nothing. Pages show the sentences; addresses have only the reason."""

from __future__ import annotations

from enum import Enum
from typing import Final


class RefusalReason(str, Enum):
    NOT_SET_UP = "not_set_up"
    STATE_UNKNOWN = "state_unknown"
    STATE_EXPIRED = "state_expired"
    PROVIDER_UNREACHABLE = "provider_unreachable"
    PROVIDER_REFUSED = "provider_refused"
    TOKEN_NOT_VALID = "token_not_valid"
    NOT_IN_ALLOWED_GROUP = "not_in_allowed_group"
    GROUPS_UNAVAILABLE = "groups_unavailable"
    DEMANDS_UNMET = "demands_unmet"
    USER_DISABLED = "user_disabled"


SENTENCES: Final[dict[RefusalReason, tuple[str, str]]] = {
    RefusalReason.NOT_SET_UP: (
        "This organization has no identity provider.",
        "Sign in by name and password, or ask an owner of the organization.",
    ),
    RefusalReason.STATE_UNKNOWN: (
        "The answer of the identity provider belongs to no sign-in of this browser.",
        "Begin again here. Cookies of this site must be allowed.",
    ),
    RefusalReason.STATE_EXPIRED: (
        "The sign-in took longer than ten minutes, or was used already.",
        "Begin again.",
    ),
    RefusalReason.PROVIDER_UNREACHABLE: (
        "The identity provider does not answer.",
        "Try again in a minute. While it is down, an administrator of the platform's machine can let an owner in.",
    ),
    RefusalReason.PROVIDER_REFUSED: (
        "The identity provider did not let you in.",
        "Begin again, and ask its administrators if it stays so.",
    ),
    RefusalReason.TOKEN_NOT_VALID: (
        "The answer of the identity provider is not valid for this platform.",
        "Begin again. An owner of the organization finds the cause in the audit trail.",
    ),
    RefusalReason.NOT_IN_ALLOWED_GROUP: (
        "You are in none of the groups whose members may sign in.",
        "Ask an owner of the organization which group you need.",
    ),
    RefusalReason.GROUPS_UNAVAILABLE: (
        "The identity provider did not send your groups.",
        "Ask an owner of the organization: the audit trail has what was missing.",
    ),
    RefusalReason.DEMANDS_UNMET: (
        "This organization demands a stronger sign-in, as with a second factor.",
        "Set up a second factor at the identity provider, and sign in again.",
    ),
    RefusalReason.USER_DISABLED: ("Your user is disabled.", "Ask an owner of the organization."),
}


class SignInFailed(Exception):
    """A sign-in that is refused. `detail` is for the audit trail and has no token in it."""

    def __init__(self, reason: RefusalReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
