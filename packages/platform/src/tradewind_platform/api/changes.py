"""Runs a change: one transaction with its audit event, its condition and its idempotency key."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import Request, Response
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from tradewind_platform.api.context import Caller, Platform, caller_of, platform_of
from tradewind_platform.domain.authentication_demands import SENSITIVE, is_recent
from tradewind_platform.domain.ids import new_id
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.services import sso_settings
from tradewind_platform.services.change import Change, Event, record
from tradewind_platform.services.sign_in_sessions import SignedIn
from tradewind_platform.store import lock_order
from tradewind_platform.store.tables import IdempotencyKey
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_protocol.platform import IDEMPOTENCY_HEADER, IF_MATCH_HEADER

REPLAYED: Final = "Idempotent-Replayed"
DONE: Final = "done"
_KEPT: Final = timedelta(days=1)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


def run(
    request: Request,
    action: str,
    ask: Message | None,
    change: Callable[[Change], Message | None],
    *,
    reason: str = "",
    status: int = 200,
    keyed: bool = True,
) -> Response:
    """Make the change, or answer what it answered when it was made with the same key. Not `keyed`: keys of requests do not count.

    One audit event in the same transaction. A refused change has one, too, in a transaction of its own.
    """
    platform, caller = platform_of(request), caller_of(request)
    key = _key(request) if keyed else None
    asked = _hash(request, ask)
    now = platform.clock()
    event = Event(reason=reason)
    with _refusals_recorded(platform, caller, action, event):
        expected = _expected(request)
        with platform.store.transaction(caller.organization) as db:
            if key is not None and (before := _before(platform, db, caller, key, asked)) is not None:
                return before
            require_recent_sign_in(db, caller.signed_in, action, now)
            made = Change(db, caller.principal, now, platform.ring, expected, event, platform.offered)
            answer = change(made)
            record(
                db,
                action=action,
                caller=caller.principal,
                origin=caller.origin,
                event=event,
                result=DONE,
                now=now,
            )
            body = "" if answer is None else answer.model_dump_json()
            if key is not None:
                _remember(platform, db, caller, key, asked, status, body)
    if made.begun:
        platform.wake()
    return respond(answer, status)


def require_recent_sign_in(db: Session, who: SignedIn | None, action: str, now: datetime) -> None:
    """Raises Refused NOT_PERMITTED for a sensitive change in a session whose sign-in was too long ago for the organization."""
    if action not in SENSITIVE or who is None or who.is_break_glass:
        return
    within = sso_settings.sign_in_again_within(db)
    if within is not None and not is_recent(who.authenticated_at, now, within):
        raise Refused(
            Code.NOT_PERMITTED,
            f"this change needs a sign-in of the last {int(within.total_seconds() // 60)} minutes",
            remedy="Sign in again, and repeat it.",
            sign_in_again=f"{sso_settings.START}?again=true",
        )


def respond(answer: Message | None, status: int = 200) -> Response:
    """An answer with the resource's revision as its ETag."""
    return _response("" if answer is None else answer.model_dump_json(), status)


def _response(body: str, status: int, **headers: str) -> Response:
    if not body:
        return Response(status_code=status, headers=headers)
    revision = json.loads(body).get("revision")
    if revision is not None:
        headers["ETag"] = f'"{revision}"'
    return Response(body, status_code=status, media_type="application/json", headers=headers)


@contextmanager
def _refusals_recorded(platform: Platform, caller: Caller, action: str, event: Event) -> Iterator[None]:
    try:
        try:
            yield
        except IntegrityError:
            raise Refused(
                Code.CONFLICT,
                "another request made the same thing at the same moment",
                remedy="Read it again, and repeat the request where it is still wanted.",
            ) from None
        except OperationalError as error:
            if not lock_order.was_ended_for_another(error):
                raise
            raise Refused(
                Code.CONFLICT,
                "another request was made at the same moment, and each waited for the other: this one changed nothing",
                remedy="Repeat it where it is still wanted.",
            ) from None
    except Refused as error:
        event.changes = {}
        with platform.store.transaction(caller.organization) as db:
            record(
                db,
                action=action,
                caller=caller.principal,
                origin=caller.origin,
                event=event,
                result=error.code.value,
                now=platform.clock(),
            )
        raise


def _expected(request: Request) -> int | None:
    header = request.headers.get(IF_MATCH_HEADER)
    if header is None or header.strip() == "*":
        return None
    found = re.fullmatch(r'\s*"([0-9]{1,9})"\s*', header)
    if found is None:
        raise Refused(
            Code.MALFORMED, f"{IF_MATCH_HEADER} is not one revision in quotes", remedy='Send the ETag: "3".'
        )
    return int(found[1])


def _key(request: Request) -> str | None:
    header = request.headers.get(IDEMPOTENCY_HEADER) if request.method == "POST" else None
    if header is not None and _KEY.fullmatch(header) is None:
        raise Refused(
            Code.MALFORMED,
            f"{IDEMPOTENCY_HEADER} is not 1 to 200 visible characters of ASCII",
            remedy="Send a UUID.",
        )
    return header


def _hash(request: Request, ask: Message | None) -> str:
    body = "" if ask is None else json.dumps(ask.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    return hashlib.sha256(f"{request.method} {request.url.path}\n{body}".encode()).hexdigest()


def _before(platform: Platform, db: Session, caller: Caller, key: str, asked: str) -> Response | None:
    statement = select(IdempotencyKey).where(
        IdempotencyKey.actor_id == caller.principal.id, IdempotencyKey.key == key
    )
    row = db.scalar(statement)
    if row is None:
        return None
    if row.created_at <= platform.clock() - _KEPT:
        db.delete(row)
        db.flush()
        return None
    if row.request_hash != asked:
        raise Refused(
            Code.CONFLICT,
            f"the {IDEMPOTENCY_HEADER} was used for another request",
            remedy="Send a new key with each new request, and the same one with a repetition.",
        )
    body = platform.ring.decrypt(row.response, row=_row(row.id))
    return _response(body, row.status, **{REPLAYED: "true"})


def _remember(
    platform: Platform, db: Session, caller: Caller, key: str, asked: str, status: int, body: str
) -> None:
    now, id = platform.clock(), new_id()
    db.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= now - _KEPT))
    db.add(
        IdempotencyKey(
            id=id,
            actor_id=caller.principal.id,
            key=key,
            request_hash=asked,
            status=status,
            response=platform.ring.encrypt(body, row=_row(id)),
            created_at=now,
        )
    )


def _row(id: UUID) -> str:
    table: Any = IdempotencyKey
    return row_of(table, id, "response")
