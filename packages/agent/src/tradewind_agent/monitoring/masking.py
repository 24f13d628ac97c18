"""Secrets taken out of text that leaves the agent: findings go to the plane, and name what a tool printed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from tradewind_agent.settings import Settings
from tradewind_protocol import ids
from tradewind_protocol.polling import Finding

MASK: Final = "***"
SHORTEST: Final = 5
"""Characters of a value that is masked: a shorter one stands in too many words."""

_CREDENTIAL: Final = re.compile(
    "("
    + "|".join([*(kind.prefix for kind in ids.TokenKind), ids.SESSION_TOKEN_PREFIX, ids.LOCAL_SECRET_PREFIX])
    + ")[A-Za-z0-9_-]{4,}"
)
_IN_URL: Final = re.compile(r"(?<=://)([^\s/@:]*):([^\s/@]+)@")
_SECRET_NAME: Final = re.compile(
    "PASSW|SECRET|TOKEN|CREDENTIAL|_KEY|APIKEY|SAS|^AIRFLOW_CONN_|_CONN$|_HEADERS$", re.IGNORECASE
)


def shortened_credentials(text: str) -> str:
    """`text` with every credential of ours cut down to its prefix."""
    return _CREDENTIAL.sub(lambda found: ids.shown(found.group()), text)


class Masking:
    """Knows the secrets of the settings and of the environment variables that processes get."""

    def __init__(self, settings: Settings, inherited: Mapping[str, str]) -> None:
        own = (settings.token, settings.proxy, settings.traces_headers)
        values = [each.get_secret_value() for each in own if isinstance(each, SecretStr)]
        for variables in (inherited, *(each.env for each in settings.task_environments)):
            values += [value for name, value in variables.items() if _SECRET_NAME.search(name)]
        known = {part for value in values for part in (value, *_passwords(value)) if len(part) >= SHORTEST}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def masked(self, text: str) -> str:
        """`text` without the secrets that are known, without passwords in URLs and without credentials of ours."""
        if self._known is not None:
            text = self._known.sub(MASK, text)
        return shortened_credentials(_IN_URL.sub(rf"\1:{MASK}@", text))

    def findings(self, found: Iterable[Finding]) -> list[Finding]:
        return [
            one.model_copy(update={"message": self.masked(one.message), "remedy": self.masked(one.remedy)})
            for one in found
        ]


def _passwords(value: str) -> tuple[str, ...]:
    """The password of a value that is a URL, as it stands there and decoded."""
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return ()
    return (password, unquote(password))
