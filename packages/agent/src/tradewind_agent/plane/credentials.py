"""The agent token: where it is, and whether it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from tradewind_agent.errors import SettingsWrong
from tradewind_protocol import ids
from tradewind_protocol.ids import TokenKind

_CALLED: Final = {
    TokenKind.AGENT: "an agent token",
    TokenKind.SCALER: "a scaler's token",
    TokenKind.SENTINEL: "a sentinel's token",
}


class AgentToken:
    """The agent token, from a value or from a file that is read again whenever it is asked for.

    A file may be replaced while the agent runs (a mounted secret, a rotation): `changed()` tells.
    """

    def __init__(
        self, *, value: SecretStr | None = None, file: Path | None = None, kind: TokenKind = TokenKind.AGENT
    ) -> None:
        self._kind = kind
        self._value = value
        self._file = file
        self._last_read: str | None = None

    def read(self) -> str:
        """The token as it is now. Raises SettingsWrong, which names the place and never the token."""
        token = self._now()
        if not ids.has_form_of(token, self._kind.prefix):
            raise SettingsWrong(
                f"{self._place} does not hold {_CALLED[self._kind]}",
                remedy=f"It is {self._kind.prefix}… as `tradewind tokens create"
                + (f" --kind {self._kind.value}" if self._kind is not TokenKind.AGENT else "")
                + "` prints it",
            )
        self._last_read = token
        return token

    def changed(self) -> bool:
        """True when the file holds another token than the one last read. False when it cannot be read just now."""
        if self._file is None or self._last_read is None:
            return False
        try:
            token = self._now()
        except SettingsWrong:
            return False
        return token != self._last_read and ids.has_form_of(token, self._kind.prefix)

    @property
    def _place(self) -> str:
        return f"token_file {self._file}" if self._file is not None else "TRADEWIND_AGENT_TOKEN"

    def _now(self) -> str:
        if self._file is not None:
            try:
                return self._file.read_text(encoding="utf-8", errors="replace").strip()
            except OSError as error:
                raise SettingsWrong(
                    f"{self._place} cannot be read: {error.strerror or error}",
                    remedy="Make it readable for the user the agent runs as",
                ) from error
        if self._value is None:
            raise SettingsWrong("there is no agent token", remedy="Set token_file or TRADEWIND_AGENT_TOKEN")
        return self._value.get_secret_value().strip()

    def __repr__(self) -> str:
        return f"<AgentToken from {self._place}>"
