"""A response of the plane, as the agent reads it, over whichever transport it came."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tradewind_protocol.errors import Code, Refusal, Refused

_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})


class PlaneResponse(Protocol):
    """Status, headers and decoded content. `httpx.Response` is one, too, which is what the doctor has."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> bytes: ...

    @property
    def url(self) -> object:
        """What was asked; its text is the URL."""


class Headers(Mapping[str, str]):
    """By name, whatever its case. One that was sent several times is joined as HTTP says."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            before = self._values.get(name)
            self._values[name] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def without_framing(self) -> Headers:
        """Those that say something about the content, and nothing of how it came. The content is decoded already;
        a response that passes it on must not say that it is compressed."""
        return Headers((name, value) for name, value in self._values.items() if name not in _FRAMING)


@dataclass(frozen=True)
class ReceivedResponse:
    """An answer that has arrived as a whole."""

    url: str
    status_code: int
    headers: Headers
    content: bytes


def is_success(answer: PlaneResponse) -> bool:
    return 200 <= answer.status_code <= 299


def refusal_in(response: PlaneResponse) -> Refused | None:
    """The plane's own refusal, when the answer is one."""
    if is_success(response):
        return None
    try:
        body = json.loads(response.content)
    except ValueError:
        return None
    if not (
        isinstance(body, dict) and isinstance(body.get("error"), str) and isinstance(body.get("message"), str)
    ):
        return None
    try:
        refusal = Refusal.model_validate(body)
    except ValueError:
        # A newer plane may have codes this agent has never heard of: keep its words, take the status' meaning.
        code = nearest_code(response.status_code)
        return Refused(code, f"{body['message']} [{body['error']}]", remedy=str(body.get("remedy") or ""))
    return Refused.as_told(refusal)


def nearest_code(status: int) -> Code:
    """The code that says about the same as an HTTP status."""
    if status >= 500:
        return Code.INTERNAL if status == 500 else Code.UNAVAILABLE
    near = {
        404: Code.NOT_FOUND,
        409: Code.CONFLICT,
        413: Code.TOO_LARGE,
        422: Code.MALFORMED,
        429: Code.RATE_LIMITED,
    }
    return near.get(status, Code.NOT_PERMITTED)
