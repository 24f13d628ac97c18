"""What is mounted at `/auth`: to the platform and back, signing out, and an Airflow token for an API token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qsl, urlencode

import anyio.to_thread
import structlog
from airflow.api_fastapi.app import AUTH_MANAGER_FASTAPI_APP_PREFIX, get_cookie_path
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.core_api.security import is_safe_url
from fastapi import FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from jwt import InvalidTokenError
from pydantic import ValidationError

from tradewind_protocol.access import API_TOKEN_PREFIX, CALLBACK_PATH, Workload
from tradewind_protocol.errors import Refused
from tradewind_protocol.messages import Message
from tradewind_provider import settings
from tradewind_provider.airflow import configuration, database
from tradewind_provider.auth_manager import pages, sign_in
from tradewind_provider.auth_manager.following import follow, report_uses, report_workload
from tradewind_provider.auth_manager.platform_client import CodeRefused
from tradewind_provider.auth_manager.sign_in import Attempt
from tradewind_provider.auth_manager.users import PlatformUser, Session
from tradewind_provider.clock import utc_now
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import database_size, expiring_tokens, workload

if TYPE_CHECKING:
    from tradewind_provider.auth_manager.manager import TradewindAuthManager

log = structlog.get_logger(__name__)

LOGIN = f"{AUTH_MANAGER_FASTAPI_APP_PREFIX}/login"
LOGOUT = f"{AUTH_MANAGER_FASTAPI_APP_PREFIX}/logout"


def login_address(next: str | None) -> str:
    """Where a sign-in begins. Airflow's own route adds `next` to it, FAB's plugins name it."""
    return f"{LOGIN}?{urlencode({'next': next})}" if next else LOGIN


class TokenRequest(Message):
    """`token`, or, as scripts for Airflow's other auth managers send it, `username` (ignored) and `password`: an API token."""

    token: str = ""
    username: str = ""
    password: str = ""


def create_app(manager: TradewindAuthManager) -> FastAPI:
    """The application. While it runs, it keeps the roles up to date."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(follow(manager.replica, manager.platform), name="access"),
            asyncio.create_task(report_uses(manager.replica, manager.platform), name="token uses"),
            asyncio.create_task(
                report_workload(manager.replica, manager.platform, _workload, _with_what_changes_slowly),
                name="workload",
            ),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="Sign-in by the Tradewind platform",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/login")
    def login(request: Request, next: str | None = None) -> Response:
        """Send the browser to the platform."""
        if next and not is_safe_url(next, request=request):
            raise HTTPException(400, "Invalid or unsafe next URL")
        attempt = Attempt.new(next or get_cookie_path())
        where = attempt.platform_address(manager.link.url, manager.link.deployment, _redirect_uri())
        answer = RedirectResponse(where, 302, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            attempt.cookie,
            attempt.sealed(_key(), now=utc_now()),
            max_age=sign_in.MINUTES * 60,
            **_cookie(request, AUTH_MANAGER_FASTAPI_APP_PREFIX),
        )
        return answer

    @app.get("/callback")
    async def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        """The browser comes back. Only a browser that began this sign-in has its cookie."""
        cookie = request.cookies.get(sign_in.cookie_of(state), "")
        attempt = Attempt.opened(cookie, _key())
        if attempt is None or attempt.state != state:
            return pages.failed("This sign-in did not begin in this browser, or took too long.", again=LOGIN)
        if error or not code:
            return _signed_out(request, attempt, _refusal(error))
        try:
            signed_in = await manager.platform.exchange(
                code, verifier=attempt.verifier, redirect_uri=_redirect_uri()
            )
            if manager.replica.revision < signed_in.access_revision:
                document = await manager.platform.access()
                if document is not None:
                    manager.replica.accept(document)
        except CodeRefused:
            return _signed_out(
                request, attempt, pages.failed("The platform does not take this sign-in's code.", again=LOGIN)
            )
        except (Refused, ValueError) as problem:
            log.warning("A sign-in failed", action="sign_in_failed", error=str(problem))
            why = "The platform does not answer. Who is signed in stays signed in; try again in a while."
            return _signed_out(request, attempt, pages.failed(why, again=LOGIN, status=503))
        person = manager.replica.user(signed_in.sub)
        if person is None or person.role is None:
            return _signed_out(request, attempt, _no_role())
        session = Session(signed_in.sid, signed_in.session_ends_at)
        user = PlatformUser(signed_in.sub, signed_in.name, session=session)
        answer = RedirectResponse(attempt.next, 302, headers={"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE_NAME_JWT_TOKEN, manager.generate_jwt(user), **_cookie(request, get_cookie_path())
        )
        return _without_attempt(request, attempt, answer)

    @app.get("/logout")
    async def logout(request: Request) -> Response:
        """Sign out here and on the platform. Airflow's own route has revoked the token before it sends the browser here."""
        token = request.cookies.get(COOKIE_NAME_JWT_TOKEN, "")
        session = await manager.session_of(token)
        if session is not None:
            await anyio.to_thread.run_sync(manager.revoke_token, token)
            try:
                await manager.platform.end_session(session.id)
            except Refused as problem:
                log.warning(
                    "Signed out here, but not on the platform", action="sign_out_unheard", error=str(problem)
                )
        answer = RedirectResponse(
            f"{manager.link.url}/sign-in?signed-out", 302, headers={"Cache-Control": "no-store"}
        )
        answer.delete_cookie(COOKIE_NAME_JWT_TOKEN, **_cookie(request, get_cookie_path()))
        return answer

    @app.post("/token")
    async def token(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
        """Airflow's own token for an API token."""
        value = await _api_token(request, authorization)
        if value is None:
            raise HTTPException(
                400, f"Send an API token of the platform ({API_TOKEN_PREFIX}…) as `token` or as `password`"
            )
        try:
            user = manager.user_of_api_token(value)
        except InvalidTokenError as problem:
            raise HTTPException(401, str(problem)) from None
        return JSONResponse(
            {"access_token": manager.generate_jwt(user)}, 201, headers={"Cache-Control": "no-store"}
        )

    def _no_role() -> Response:
        return pages.no_role(
            settings.current().deployment, manager.replica.contacts, platform_url=manager.link.url
        )

    def _refusal(error: str) -> Response:
        if error == "access_denied":
            return _no_role()
        return pages.failed("The platform has refused this sign-in.", again=LOGIN)

    return app


async def _api_token(request: Request, authorization: str) -> str | None:
    scheme, _, bearer = authorization.partition(" ")
    if scheme.lower() == "bearer" and bearer.strip().startswith(API_TOKEN_PREFIX):
        return bearer.strip()
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            asked = TokenRequest.model_validate_json(await request.body())
        else:
            asked = TokenRequest.model_validate(
                dict(parse_qsl((await request.body()).decode(errors="replace")))
            )
    except ValidationError:
        return None
    return next((one for one in (asked.token, asked.password) if one.startswith(API_TOKEN_PREFIX)), None)


def _workload() -> Workload:
    cadence = settings.current().cadence
    beats = HeartbeatLimits(poll=cadence.poll, lost_after=cadence.lost_after)
    with database.create_session() as db:
        counted = workload.count(db, now=utc_now(), beats=beats)
    return counted.model_copy(update={"knows_permissions": True})


def _with_what_changes_slowly(counted: Workload) -> Workload:
    with database.create_session() as db:
        slow = {
            "expiring_tokens": expiring_tokens.expiring(db, now=utc_now()),
            "database_bytes": database_size.size(db),
        }
    return counted.model_copy(update=slow)


def _key() -> str:
    return configuration.secret_key()


def _redirect_uri() -> str:
    return configuration.base_url() + CALLBACK_PATH


def _cookie(request: Request, path: str) -> dict[str, Any]:
    """As Airflow sets its own."""
    secure = request.base_url.scheme == "https" or configuration.base_url().startswith("https://")
    return {"path": path, "httponly": True, "secure": secure, "samesite": "lax"}


def _signed_out(request: Request, attempt: Attempt, answer: Response) -> Response:
    """An answer that leaves nobody signed in here: someone else may have been."""
    answer.delete_cookie(COOKIE_NAME_JWT_TOKEN, **_cookie(request, get_cookie_path()))
    return _without_attempt(request, attempt, answer)


def _without_attempt(request: Request, attempt: Attempt, answer: Response) -> Response:
    answer.delete_cookie(attempt.cookie, **_cookie(request, AUTH_MANAGER_FASTAPI_APP_PREFIX))
    return answer
