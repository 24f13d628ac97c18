"""The routes of a browser: to the platform, back from it, and signing out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio.to_thread
import structlog
from airflow.api_fastapi.app import AUTH_MANAGER_FASTAPI_APP_PREFIX, get_cookie_path
from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
from airflow.api_fastapi.core_api.security import is_safe_url
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from tradewind_protocol.access import CALLBACK_PATH
from tradewind_protocol.errors import Refused
from tradewind_provider import settings
from tradewind_provider.airflow import configuration
from tradewind_provider.auth_manager import pages, sign_in
from tradewind_provider.auth_manager.platform_client import CodeRefused
from tradewind_provider.auth_manager.sign_in import Attempt
from tradewind_provider.auth_manager.users import PlatformUser, Session
from tradewind_provider.clock import utc_now

if TYPE_CHECKING:
    from tradewind_provider.auth_manager.manager import TradewindAuthManager

log = structlog.get_logger(__name__)

LOGIN = f"{AUTH_MANAGER_FASTAPI_APP_PREFIX}/login"
LOGOUT = f"{AUTH_MANAGER_FASTAPI_APP_PREFIX}/logout"


def login_address(next: str | None) -> str:
    """Where a sign-in begins. Airflow's own route adds `next` to it, FAB's plugins name it."""
    return f"{LOGIN}?{urlencode({'next': next})}" if next else LOGIN


def router(manager: TradewindAuthManager) -> APIRouter:
    routes = APIRouter()

    @routes.get("/login")
    def login(request: Request, next: str | None = None) -> Response:
        """Send the browser to the platform."""
        if next and not is_safe_url(next, request=request):
            raise HTTPException(400, "Invalid or unsafe next URL")
        attempt = Attempt.new(next or get_cookie_path())
        answer = _redirect(
            attempt.platform_address(manager.link.url, manager.link.deployment, _redirect_uri())
        )
        answer.set_cookie(
            attempt.cookie,
            attempt.sealed(configuration.secret_key(), now=utc_now()),
            max_age=sign_in.MINUTES * 60,
            **_cookie(request, AUTH_MANAGER_FASTAPI_APP_PREFIX),
        )
        return answer

    @routes.get("/callback")
    async def callback(request: Request, state: str = "", code: str = "", error: str = "") -> Response:
        """Sign in the browser that comes back. Only a browser that began this sign-in has its cookie."""
        cookie = request.cookies.get(sign_in.cookie_of(state), "")
        attempt = Attempt.opened(cookie, configuration.secret_key())
        if attempt is None or attempt.state != state:
            return pages.failed("This sign-in did not begin in this browser, or took too long.", again=LOGIN)
        if error or not code:
            return _signed_out(request, attempt, _refused_by_platform(manager, error))
        try:
            user = await _user_of(manager, attempt, code)
        except CodeRefused:
            why = "The platform does not take this sign-in's code."
            return _signed_out(request, attempt, pages.failed(why, again=LOGIN))
        except (Refused, ValueError) as problem:
            log.warning("A sign-in failed", action="sign_in_failed", error=str(problem))
            why = (
                "The platform does not answer. Users who are signed in stay signed in. Try again in a while."
            )
            return _signed_out(request, attempt, pages.failed(why, again=LOGIN, status=503))
        if user is None:
            return _signed_out(request, attempt, _no_role(manager))
        answer = _redirect(attempt.next)
        answer.set_cookie(
            COOKIE_NAME_JWT_TOKEN, manager.generate_jwt(user), **_cookie(request, get_cookie_path())
        )
        return _without_attempt(request, attempt, answer)

    @routes.get("/logout")
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
        answer = _redirect(f"{manager.link.url}/sign-in?signed-out")
        answer.delete_cookie(COOKIE_NAME_JWT_TOKEN, **_cookie(request, get_cookie_path()))
        return answer

    return routes


async def _user_of(manager: TradewindAuthManager, attempt: Attempt, code: str) -> PlatformUser | None:
    """The person whom a code stands for; None for one without a role here.

    Raises CodeRefused; Refused or ValueError when the platform does not answer as it should.
    """
    signed_in = await manager.platform.exchange(code, verifier=attempt.verifier, redirect_uri=_redirect_uri())
    if manager.replica.revision < signed_in.access_revision:  # the role may be newer than the replica
        document = await manager.platform.access()
        if document is not None:
            manager.replica.accept(document)
    person = manager.replica.user(signed_in.sub)
    if person is None or person.role is None:
        return None
    return PlatformUser(
        signed_in.sub, signed_in.name, session=Session(signed_in.sid, signed_in.session_ends_at)
    )


def _refused_by_platform(manager: TradewindAuthManager, error: str) -> Response:
    if error == "access_denied":
        return _no_role(manager)
    return pages.failed("The platform has refused this sign-in.", again=LOGIN)


def _no_role(manager: TradewindAuthManager) -> Response:
    return pages.no_role(
        settings.current().deployment, manager.replica.contacts, platform_url=manager.link.url
    )


def _redirect(address: str) -> RedirectResponse:
    return RedirectResponse(address, 302, headers={"Cache-Control": "no-store"})


def _redirect_uri() -> str:
    return configuration.base_url() + CALLBACK_PATH


def _cookie(request: Request, path: str) -> dict[str, Any]:
    """The attributes that Airflow gives its own cookies."""
    secure = request.base_url.scheme == "https" or configuration.base_url().startswith("https://")
    return {"path": path, "httponly": True, "secure": secure, "samesite": "lax"}


def _signed_out(request: Request, attempt: Attempt, answer: Response) -> Response:
    """An answer that signs out the browser, which may have been signed in as another person."""
    answer.delete_cookie(COOKIE_NAME_JWT_TOKEN, **_cookie(request, get_cookie_path()))
    return _without_attempt(request, attempt, answer)


def _without_attempt(request: Request, attempt: Attempt, answer: Response) -> Response:
    answer.delete_cookie(attempt.cookie, **_cookie(request, AUTH_MANAGER_FASTAPI_APP_PREFIX))
    return answer
