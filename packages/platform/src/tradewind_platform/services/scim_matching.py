"""Whether a person whom SCIM has sent and one who signs in at the identity provider are the same.

The issuer and the subject identify a person. Before the first sign-in no subject is known; then the external id decides,
or a verified e-mail address that exactly one person has. A user who is linked to another subject is never matched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import scim_resources
from tradewind_platform.domain.email_addresses import folded
from tradewind_platform.services import sso_settings
from tradewind_platform.store.scim_tables import ScimUser
from tradewind_platform.store.tables import User
from tradewind_platform.store.team_tables import Identity

_ENTRA: Final = "https://login.microsoftonline.com/"
"""The subject of a token of Entra is another one in each application. Its `oid` is the id that SCIM can send."""


def sent_as(db: Session, issuer: str, claims: Mapping[str, Any]) -> ScimUser | None:
    """The person of a first sign-in, among those whom SCIM has sent and who have not signed in yet."""
    taken = select(Identity.user_id).where(Identity.issuer == issuer)
    waiting = select(ScimUser).where(ScimUser.deleted_at.is_(None), ScimUser.user_id.not_in(taken))
    ids = [claims.get("sub")] + ([claims.get("oid")] if issuer.startswith(_ENTRA) else [])
    known = [one for one in ids if isinstance(one, str) and one]
    found = db.scalars(waiting.where(ScimUser.external_id.in_(known))).all()
    if len(found) == 1:
        return found[0]
    email = claims.get("email")
    if found or claims.get("email_verified") is not True or not isinstance(email, str) or not email:
        return None
    same = [one for one in db.scalars(waiting) if folded(email) in addresses(one.user_name, one.resource)]
    return same[0] if len(same) == 1 else None


def signed_in_as(db: Session, sent: scim_resources.User) -> User | None:
    """The user who has signed in at the identity provider before SCIM sends the person.

    Only one with an identity there is found, so SCIM never takes over an account of the platform's own.
    """
    used = sso_settings.of(db, sso_settings.ACTIVE)
    if used is None:
        return None
    linked = select(ScimUser.user_id).where(ScimUser.deleted_at.is_(None))
    free = select(Identity).where(Identity.issuer == used.issuer, Identity.user_id.not_in(linked))
    if sent.external_id:
        by_id = db.scalar(free.where(Identity.subject == sent.external_id))
        if by_id is not None:
            return db.get_one(User, by_id.user_id)
    wanted = addresses(sent.user_name or "", sent.model_dump())
    if not wanted:
        return None
    same = [
        db.get_one(User, one.user_id)
        for one in db.scalars(free.where(func.lower(Identity.email).in_({each.lower() for each in wanted})))
        if folded(one.email) in wanted
    ]
    # An address may have been another person's before: one who is disabled is not matched by it.
    return same[0] if len(same) == 1 and same[0].disabled_at is None else None


def addresses(user_name: str, resource: Mapping[str, Any]) -> set[str]:
    """The e-mail address that SCIM has sent as the primary or the only one, folded; a user name that is one, too."""
    sent = [one for one in resource.get("emails") or () if isinstance(one.get("value"), str)]
    chosen = [one for one in sent if one.get("primary")] or (sent if len(sent) == 1 else [])
    return {folded(one) for one in (user_name, *(each["value"] for each in chosen)) if "@" in one}
