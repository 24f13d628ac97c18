"""What the clients of a plane's and of a platform's API have in common: one address, one token, refusals as exceptions."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar, cast
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from tradewind.client.foreign_responses import explained, unreachable
from tradewind.client.rate_limits import Patience
from tradewind.errors import BadUsage, Refused, Unreachable
from tradewind_protocol import errors
from tradewind_protocol.messages import Message

Received = TypeVar("Received", bound=Message)
Client = TypeVar("Client", bound="ApiClient")

_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


class ApiClient:
    """A context manager. Every method raises Refused when the other side says no and Unreachable when none answers.

    A request that is answered with 429 is sent again when Retry-After says so, within limits. `plane` may carry a path prefix:
    "https://host/deployment".
    """

    prefix: ClassVar[str]
    """The path below the address that everything is asked under."""

    def __init__(
        self,
        plane: str,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sign_in_again: Callable[[Any], str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.plane = checked_url(plane)
        self.ca_file = ca_file
        self._sign_in_again = sign_in_again  # asked once for a token when the answer is 401
        self._sleep = sleep
        self._http = httpx.Client(
            timeout=_TIMEOUT, transport=transport, verify=_verification(ca_file), follow_redirects=False
        )
        self.token = token

    def __enter__(self: Client) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def _ask(
        self,
        kind: type[Received],
        method: str,
        path: str,
        message: Message | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        exclude_unset: bool = False,
        content: bytes | None = None,
    ) -> Received:
        answer = self._request(
            method,
            path,
            message,
            params=params,
            headers=headers,
            exclude_unset=exclude_unset,
            content=content,
        )
        try:
            return kind.model_validate(self._body(answer))
        except ValidationError:
            # not chained: pydantic quotes its input, and one of these answers carries a token
            raise self._not_a_plane(answer) from None

    def _request(
        self,
        method: str,
        path: str,
        message: Message | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        exclude_unset: bool = False,
        content: bytes | None = None,
    ) -> httpx.Response:
        body = None if message is None else message.model_dump(mode="json", exclude_unset=exclude_unset)
        sent: dict[str, Any] = {
            **({"json": body} if content is None else {"content": content}),
            "headers": headers,
            "params": {key: value for key, value in (params or {}).items() if value not in (None, "", ())},
        }
        answer = self._send(method, self.prefix + path, **sent)
        if answer.status_code == 401 and self._sign_in_again is not None:
            again, self._sign_in_again = self._sign_in_again, None
            self.token = again(self)
            answer = self._send(method, self.prefix + path, **sent)
        if answer.is_success:
            return answer
        raise self._refusal(answer)

    def _refusal(self, answer: httpx.Response) -> Exception:
        """What an answer that is no success says."""
        try:
            return Refused(errors.Refusal.model_validate_json(answer.content))
        except ValidationError:
            return self._not_a_plane(answer)

    def _lines(self, path: str, *, params: Mapping[str, Any]) -> Iterator[str]:
        """The lines of a long answer, as they arrive. Raises Unreachable for one that is cut off."""
        sent = {key: value for key, value in params.items() if value not in (None, "", ())}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        patience, address = Patience(), self.plane + self.prefix + path
        try:
            while True:
                with self._http.stream("GET", address, params=sent, headers=headers) as answer:
                    if answer.is_success:
                        yield from answer.iter_lines()
                        return
                    answer.read()
                if (wait := patience.wait(answer)) is None:
                    raise self._refusal(answer)
                self._sleep(wait)
        except httpx.TransportError as problem:
            raise unreachable(self.plane, problem) from problem

    def _send(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **content: Any
    ) -> httpx.Response:
        headers = {**(headers or {}), **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        patience = Patience()
        try:
            while True:
                answer = self._http.request(method, self.plane + path, headers=headers, **content)
                if (wait := patience.wait(answer)) is None:
                    return answer
                self._sleep(wait)
        except httpx.TransportError as problem:
            raise unreachable(self.plane, problem) from problem

    def _body(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body = answer.json()
        except ValueError:
            raise self._not_a_plane(answer) from None
        if not isinstance(body, dict):
            raise self._not_a_plane(answer)
        return cast("dict[str, Any]", body)

    def _not_a_plane(self, answer: httpx.Response) -> Unreachable:
        return explained(self.plane, answer, airflow=self._version_of_airflow())

    def _version_of_airflow(self) -> str:
        """Of the Airflow that answers there; empty when none does."""
        try:
            answer = self._http.get(self.plane + "/api/v2/version")
            return str(answer.json()["version"]) if answer.is_success else ""
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return ""


def checked_url(text: str) -> str:
    """The plane's address without a slash at the end. Raises BadUsage when it is not an http(s) URL."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadUsage(f"{text!r} is not the address of a plane, such as https://airflow.example.com")
    if parts.username or parts.password:
        raise BadUsage("the plane's address must not carry a user name or a password")
    return text.strip().split("?")[0].split("#")[0].rstrip("/")


def _verification(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as problem:
        raise BadUsage(f"the CA file {ca_file} cannot be used: {problem}") from problem
