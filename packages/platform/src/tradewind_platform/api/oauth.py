"""The platform as the OAuth 2.0 provider of its Deployments and of terminals: code flow with PKCE. A Deployment is a client,
known by its id.

What is wrong with the client or its address is shown here: a browser is sent nowhere that was not checked.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.concurrency import run_in_threadpool

from tradewind_platform.api import terminal_sign_in
from tradewind_platform.api.address_check import require_allowed_address
from tradewind_platform.api.authentication import signed_in
from tradewind_platform.api.context import Platform, platform_of, request_origin
from tradewind_platform.api.internal_access import asking_deployment
from tradewind_platform.api.refusal_page import refusal_page
from tradewind_platform.domain import oauth
from tradewind_platform.domain.operations import GONE
from tradewind_platform.domain.roles import Principal, Target
from tradewind_platform.services import authorization_codes, deployment_views, people
from tradewind_platform.services.authorization_codes import CodeRefused
from tradewind_platform.services.change import Event, record
from tradewind_platform.services.deployment_credentials import KnownDeployment
from tradewind_platform.services.references import uuid_of
from tradewind_platform.services.sign_in_sessions import SignedIn as LiveSession
from tradewind_platform.store.tables import Cluster, Deployment
from tradewind_protocol.access import AUTHORIZE_PATH, CALLBACK_PATH, TERMINAL_CLIENT, TOKEN_PATH, SignedIn
from tradewind_protocol.errors import Refused

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 8192


@router.get(AUTHORIZE_PATH)
def authorize(
    request: Request,
    client_id: str = "",
    redirect_uri: str = "",
    response_type: str = "",
    state: Annotated[str, Query(max_length=1000)] = "",
    code_challenge: str = "",
    code_challenge_method: str = "",
) -> Response:
    """Send a signed-in person back to their Deployment with a code; anyone else to the sign-in page first."""
    platform = platform_of(request)
    if client_id == TERMINAL_CLIENT:
        challenge = code_challenge if response_type == "code" and code_challenge_method == "S256" else ""
        return terminal_sign_in.authorize(request, redirect_uri, state, challenge) or _page(
            "This is no request of a terminal on this machine. Run `tradewind login` again."
        )
    found = _client(platform, client_id)
    if found is None:
        return _page("There is no such Deployment. Open it from the platform's list of Deployments.")
    deployment, expected = found
    if redirect_uri != expected:
        return _page(
            "The address that asks for this sign-in is not the one that the platform knows for the Deployment."
        )
    if response_type != "code" or not state:
        return _back(redirect_uri, state, error="invalid_request")
    if code_challenge_method != "S256" or not oauth.is_challenge(code_challenge):
        return _back(redirect_uri, state, error="invalid_request")
    who = signed_in(request)
    if who is None or who.organization != deployment.organization_id:
        here = f"{AUTHORIZE_PATH}?{request.url.query}"
        return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", 302, headers=_NO_STORE)
    return _decided(request, platform, deployment, who, redirect_uri, state, code_challenge)


@router.post(TOKEN_PATH)
async def token(request: Request) -> Response:
    """The person that a code stands for, to a Deployment: it is known by its credential, `Authorization: Bearer
    tw_deployment_…`. A token to a terminal, which has none: its code is good for the one who made the challenge."""
    body = await request.body()
    if len(body) > _MOST_BYTES:
        return _refused("invalid_request")
    form = dict(parse_qsl(body.decode(errors="replace")))
    if form.get("grant_type") == "authorization_code" and form.get("client_id") == TERMINAL_CLIENT:
        await require_allowed_address(platform_of(request), request.scope)
        given = await run_in_threadpool(terminal_sign_in.exchanged, request, form)
        if given is None:
            return _refused("invalid_grant")
        return Response(given.model_dump_json(), media_type="application/json", headers=_NO_STORE)
    client = uuid_of(form.get("client_id", ""))
    if form.get("grant_type") != "authorization_code" or client is None:
        return _refused("invalid_request")
    try:
        known = await run_in_threadpool(asking_deployment, request, client)
    except Refused:
        return _refused("invalid_client", 401)
    return await run_in_threadpool(_exchanged, request, known, form)


def _decided(
    request: Request,
    platform: Platform,
    deployment: Deployment,
    who: LiveSession,
    redirect_uri: str,
    state: str,
    challenge: str,
) -> Response:
    """A code for a person with a role in the Deployment; `access_denied` for one without."""
    now = platform.clock()
    with platform.store.transaction(deployment.organization_id) as db:
        caller = Principal("user", who.user, who.name, people.bindings_of_user(db, who.user))
        target = Target(deployment.workspace_id, deployment.id)
        has_role = caller.airflow_role(target) is not None
        record(
            db,
            action="deployment.signIn",
            caller=caller,
            origin=request_origin(request),
            event=Event(
                f"deployment:{deployment.name}", workspace=deployment.workspace_id, deployment=deployment.id
            ),
            result="done" if has_role else "not_permitted",
            now=now,
        )
        if not has_role:
            return _back(redirect_uri, state, error="access_denied")
        code = authorization_codes.issue(
            db,
            deployment=deployment.id,
            user=who.user,
            session=who.session,
            redirect_uri=redirect_uri,
            challenge=challenge,
            now=now,
        )
    return _back(redirect_uri, state, code=code)


def _exchanged(request: Request, known: KnownDeployment, form: dict[str, str]) -> Response:
    platform = platform_of(request)
    now = platform.clock()
    try:
        with platform.store.transaction(known.organization) as db:
            user, session = authorization_codes.redeem(
                db,
                form.get("code", ""),
                deployment=known.id,
                redirect_uri=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
                now=now,
            )
    except CodeRefused as error:
        with platform.store.transaction(known.organization) as db:
            record(
                db,
                action="deployment.signIn",
                caller=Principal("deployment", known.id, f"deployment:{known.name}", ()),
                origin=request_origin(request),
                event=Event(f"deployment:{known.name}", deployment=known.id, reason=str(error)),
                result="invalid_grant",
                now=now,
            )
        return _refused("invalid_grant")
    answer = SignedIn(
        sub=user.id,
        name=user.name,
        sid=session.id,
        session_ends_at=session.ends_at,
        access_revision=platform.access_documents.revision(known.organization),
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers=_NO_STORE)


def _client(platform: Platform, client_id: str) -> tuple[Deployment, str] | None:
    """The Deployment of that id, and the one address that codes for it are sent to."""
    id = uuid_of(client_id)
    if id is None:
        return None
    with platform.store.reading_all() as db:
        row = db.get(Deployment, id)
        if row is None or row.phase in GONE:
            return None
        people_url = deployment_views.people_url(db.get_one(Cluster, row.cluster_id), row.slug)
    return row, people_url + CALLBACK_PATH


_NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _back(redirect_uri: str, state: str, **parameters: str) -> Response:
    query = urlencode({**parameters, "state": state})
    return RedirectResponse(f"{redirect_uri}?{query}", 302, headers=_NO_STORE)


def _refused(error: str, status: int = 400) -> Response:
    return JSONResponse({"error": error}, status, headers=_NO_STORE)


def _page(why: str) -> Response:
    return refusal_page("Sign-in refused", why, status=400)
