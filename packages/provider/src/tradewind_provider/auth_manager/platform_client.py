"""What this Deployment asks of its platform, with its credential."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar
from uuid import UUID

import httpx
from pydantic import ValidationError

from tradewind_protocol import access
from tradewind_protocol.access import AccessDocument, SignedIn, TokenUse, Workload
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_provider.settings import PlatformLink

_M = TypeVar("_M", bound=Message)

_TIMEOUT: Final = httpx.Timeout(10)
_HOLD: Final = httpx.Timeout(10, read=access.LONGEST_HOLD_SECONDS + 15)


class CodeRefused(Exception):
    """The platform does not take a code: it was used, has expired, or belongs to another sign-in."""


class PlatformClient:
    """The platform of one Deployment. Every method raises Refused UNAVAILABLE when it does not answer as it should."""

    def __init__(self, link: PlatformLink, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._link = link
        self._transport = transport
        self._verify = _certificates(link)

    async def access(self, since: int | None = None) -> AccessDocument | None:
        """The access document: at once, or when it has another revision than `since`. None: it has not, for as long as the platform waits."""
        params = {} if since is None else {"since": str(since), "hold": str(int(access.LONGEST_HOLD_SECONDS))}
        async with self._client(_HOLD) as client:
            answer = await client.get(self._path(access.ACCESS_PATH), params=params)
            if answer.status_code == httpx.codes.NO_CONTENT:
                return None
            _expect(answer)
            return _read(AccessDocument, answer)

    async def report_uses(self, uses: tuple[TokenUse, ...]) -> None:
        """Tell when tokens were last used."""
        async with self._client() as client:
            body = access.TokenUses(uses=uses).model_dump_json()
            _expect(await client.post(self._path(access.USES_PATH), content=body, headers=_JSON))

    async def report_workload(self, workload: Workload) -> None:
        """Tell how many agents there are, and how much work."""
        async with self._client() as client:
            path = self._path(access.WORKLOAD_PATH)
            _expect(await client.put(path, content=workload.model_dump_json(), headers=_JSON))

    async def end_session(self, session: UUID) -> None:
        """Sign the person out on the platform."""
        async with self._client() as client:
            body = access.EndSession(session=session).model_dump_json()
            _expect(await client.post(self._path(access.END_SESSION_PATH), content=body, headers=_JSON))

    async def exchange(self, code: str, *, verifier: str, redirect_uri: str) -> SignedIn:
        """The person that a code stands for. Raises CodeRefused for a code that is no good."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": str(self._link.deployment),
            "code_verifier": verifier,
        }
        async with self._client() as client:
            answer = await client.post(access.TOKEN_PATH, data=form)
            if answer.status_code == httpx.codes.BAD_REQUEST:
                raise CodeRefused(answer.text[:200])
            _expect(answer)
            return _read(SignedIn, answer)

    def _path(self, path: str) -> str:
        return path.format(deployment=self._link.deployment)

    @asynccontextmanager
    async def _client(self, timeout: httpx.Timeout = _TIMEOUT) -> AsyncIterator[httpx.AsyncClient]:
        try:
            # Read each time: it may be replaced while this process runs.
            credential = self._link.credential_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Refused(
                Code.UNAVAILABLE,
                f"cannot read the platform's credential {self._link.credential_file}: {error.strerror}",
            ) from None
        headers = {"Authorization": f"Bearer {credential}"}
        try:
            async with httpx.AsyncClient(
                base_url=self._link.url,
                headers=headers,
                timeout=timeout,
                transport=self._transport,
                verify=self._verify,
                trust_env=False,
            ) as client:
                yield client
        except httpx.HTTPError as error:
            raise Refused(
                Code.UNAVAILABLE, f"the platform {self._link.url} does not answer: {type(error).__name__}"
            ) from None


_JSON: Final = {"Content-Type": "application/json"}


def _certificates(link: PlatformLink) -> ssl.SSLContext:
    """Made once for all requests: to read the authorities that httpx trusts takes 25 ms of CPU."""
    if link.ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    context = ssl.create_default_context(cafile=str(link.ca_file))
    # The file may hold the platform's own certificate and not its authority's.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _expect(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    raise Refused(Code.UNAVAILABLE, f"the platform answered {answer.status_code}: {answer.text[:200]}")


def _read(message: type[_M], answer: httpx.Response) -> _M:
    try:
        return message.model_validate_json(answer.content)
    except ValidationError as error:
        raise Refused(
            Code.UNAVAILABLE, f"the platform's answer is no {message.__name__}: {error.error_count()} faults"
        ) from None
