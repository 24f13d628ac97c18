"""Every code of a refusal in words: what it says and what to do. The sentence on the wire names the thing; these do not."""

from __future__ import annotations

from typing import Final, NamedTuple

from tradewind_protocol.errors import Code


class Explanation(NamedTuple):
    """Of one code."""

    cause: str
    remedy: str


EXPLANATIONS: Final[dict[Code, Explanation]] = {
    Code.TOKEN_MISSING: Explanation(
        "no credential came with the request",
        "give the agent its token; look whether a proxy removes the Authorization header",
    ),
    Code.TOKEN_MALFORMED: Explanation(
        "the credential has not the form of one of this kind",
        "copy the whole token as it was shown when it was made",
    ),
    Code.TOKEN_UNKNOWN: Explanation(
        "no agent token of this Deployment has that value",
        "check that it was copied whole, and that plane_url is that of the Deployment it was made in",
    ),
    Code.TOKEN_EXPIRED: Explanation("the agent token's time is over", "make another, or rotate it earlier"),
    Code.TOKEN_DELETED: Explanation(
        "a user deleted the agent token", "make another; the events name the user and the reason"
    ),
    Code.WRONG_DEPLOYMENT: Explanation(
        "the agent token was made in another Deployment",
        "correct plane_url, or make a token in this Deployment",
    ),
    Code.WRONG_SITE: Explanation(
        "the agent token is of one site, and the agent of another",
        "give the agent a token of its own site, or a new state directory when it has moved to the other",
    ),
    Code.ADDRESS_NOT_ALLOWED: Explanation(
        "agents may not connect from there",
        "add the address to the Deployment's allowed addresses; the agent goes on trying once a minute",
    ),
    Code.NOT_PERMITTED: Explanation("the caller may not do this", "ask a user whose role allows it"),
    Code.RATE_LIMITED: Explanation(
        "too many wrong credentials came from that address",
        "correct the token; Retry-After says when to come back",
    ),
    Code.SESSION_UNKNOWN: Explanation("no session has that token", "open a session; an agent does by itself"),
    Code.SESSION_EXPIRED: Explanation(
        "the session was given up, ended, or not renewed in time",
        "open a session; an agent does by itself",
    ),
    Code.SESSION_FENCED: Explanation(
        "another process opened a session as the same agent",
        "give each agent a state directory of its own, and never copy one",
    ),
    Code.VERSION_SKEW: Explanation(
        "the two sides' protocol versions are too far apart",
        "upgrade the older of the two; the message names both",
    ),
    Code.ATTEMPT_UNKNOWN: Explanation("the Deployment knows no such attempt", "stop it, if it runs"),
    Code.ATTEMPT_NOT_YOURS: Explanation("another session or none holds the attempt", "stop it, if it runs"),
    Code.LEASE_LOST: Explanation(
        "the attempt was offered again, taken back or has ended",
        "stop it, if it runs; Airflow's retries decide",
    ),
    Code.BUNDLE_NOT_YOURS: Explanation(
        "another agent is the bundle's leader",
        "claim it; it is free when that agent is lost or closes its session",
    ),
    Code.TRIGGER_NOT_YOURS: Explanation(
        "the trigger runs elsewhere now", "stop it, and leave alone what it manages"
    ),
    Code.COMPONENT_NOT_YOURS: Explanation(
        "the session was not opened for that component",
        "add it to the agent's components and restart the agent",
    ),
    Code.MALFORMED: Explanation(
        "the request is not one of the protocol", "correct what `detail.errors` names"
    ),
    Code.TOO_LARGE: Explanation("the request has more bytes than the plane takes", "send less at once"),
    Code.POLICY_REFUSED: Explanation(
        "the data boundary does not let this through", "see docs/reference/data-boundary.md for what would"
    ),
    Code.NOT_FOUND: Explanation(
        "there is nothing of that name or at that path", "check the name, and the plane's version"
    ),
    Code.CONFLICT: Explanation(
        "the thing is in a state in which this cannot be", "look at it again, then decide"
    ),
    Code.LIMIT_REACHED: Explanation("there are as many as are allowed", "remove one, or raise the limit"),
    Code.MISDIRECTED: Explanation(
        "another API server has what this is for",
        "send it again on a new connection; an agent does by itself",
    ),
    Code.UNAVAILABLE: Explanation(
        "the plane cannot serve just now: it starts, stops, or its database is away",
        "try again, with growing waits",
    ),
    Code.INTERNAL: Explanation(
        "the plane failed on this request", "try again; the API server's log has the reason"
    ),
}
"""Total: a test compares it with `errors.Code`."""
