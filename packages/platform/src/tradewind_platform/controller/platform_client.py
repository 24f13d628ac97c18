"""The platform, as a controller asks it."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx

from tradewind_protocol.controllers import (
    PREFIX,
    ControllerPoll,
    ControllerWork,
    Observations,
    StepResult,
)
from tradewind_protocol.errors import Refusal, Refused
from tradewind_protocol.messages import Message

_SECONDS: Final = 30.0


class Unreachable(Exception):
    """The platform does not answer, or what answers is not the platform. Has no secret in it."""


class PlatformClient:
    """Asks with the token that is in the file at that moment: a rotated one needs no restart."""

    def __init__(
        self,
        url: str,
        token_file: Path,
        *,
        ca_file: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._token_file = token_file
        verify: ssl.SSLContext | bool = False
        if transport is None:
            verify = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
        self._client = httpx.Client(
            base_url=url.rstrip("/") + PREFIX, timeout=_SECONDS, verify=verify, transport=transport
        )

    def poll(self, ask: ControllerPoll) -> ControllerWork:
        """Raises Unreachable, and Refused when the platform says no."""
        answer = self._post("/poll", ask, seconds=ask.wait_seconds + _SECONDS)
        try:
            return ControllerWork.model_validate_json(answer.content)
        except ValueError:
            raise Unreachable("what answers is not the platform") from None

    def finish(self, step: UUID, result: StepResult) -> None:
        """Raises Unreachable, and Refused when the step is not this process's any more."""
        self._post(f"/steps/{step}/result", result)

    def observed(self, ask: Observations) -> None:
        """Raises Unreachable, and Refused when the platform says no."""
        self._post("/observations", ask)

    def close(self) -> None:
        self._client.close()

    def _post(self, path: str, ask: Message, *, seconds: float = _SECONDS) -> httpx.Response:
        try:
            token = self._token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise Unreachable(f"the cluster token cannot be read: {error}") from None
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            answer = self._client.post(
                path, content=ask.model_dump_json(), headers=headers, timeout=httpx.Timeout(10, read=seconds)
            )
        except httpx.HTTPError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from None
        if answer.is_success:
            return answer
        try:
            refusal = Refusal.model_validate_json(answer.content)
        except ValueError:
            raise Unreachable(f"the answer has the status {answer.status_code}") from None
        raise Refused.as_told(refusal)
