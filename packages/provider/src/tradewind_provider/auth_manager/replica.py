"""The roles that the platform sent last: in memory, and in a file for the next start."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from pydantic import ValidationError

from tradewind_protocol.access import AccessDocument, TokenUse
from tradewind_protocol.messages import Message
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.domain.access import NOBODY, Access, Holder, TokenValue
from tradewind_provider.services.credential_hashes import hashed

log = structlog.get_logger(__name__)


class _Kept(Message):
    """The file."""

    heard_at: datetime
    document: AccessDocument


class AccessReplica:
    """Answers from memory; no method but `load`, `accept` and `confirm` touches the file, and none asks anyone. Thread-safe.

    `max_age`: when the platform was not heard of for longer, everyone is a viewer.
    """

    def __init__(self, path: Path, deployment: UUID, *, max_age: float, clock: Clock = utc_now) -> None:
        self._path = path
        self._deployment = deployment
        self._max_age = timedelta(seconds=max_age)
        self._clock = clock
        self._access = NOBODY
        self._document: AccessDocument | None = None
        self._heard_at: datetime | None = None
        self._uses: dict[UUID, datetime] = {}
        self._lock = threading.Lock()  # of the uses, and of the file

    @property
    def revision(self) -> int:
        """Of the document in force; -1 before the first one."""
        return self._access.revision

    @property
    def contacts(self) -> tuple[str, ...]:
        return self._access.contacts

    @property
    def stale(self) -> bool:
        """Whether the platform was not heard of for longer than roles are believed."""
        return self._heard_at is None or self._clock() - self._heard_at > self._max_age

    @property
    def age(self) -> float | None:
        """Seconds since the platform was heard of; None when it never was."""
        return None if self._heard_at is None else (self._clock() - self._heard_at).total_seconds()

    def user(self, id: UUID) -> Holder | None:
        """The person, with the role of this moment; None for one who has none."""
        return self._in_force(self._access.users.get(id))

    def session_ended(self, id: UUID) -> bool:
        return id in self._access.ended_sessions

    def token(self, value: str) -> TokenValue | None:
        """What an API token's value opens, expired or not. A use of it is noted."""
        return self._access.tokens_by_hash.get(hashed(value))

    def token_value(self, id: UUID) -> TokenValue | None:
        """The value that a token for Airflow was made of."""
        return self._access.tokens_by_value.get(id)

    def holder(self, value: TokenValue) -> Holder | None:
        """Who acts with a value at this moment; None when it has expired. The use is noted."""
        now = self._clock()
        if value.expired(now):
            return None
        with self._lock:
            self._uses[value.holder.id] = now
        return self._in_force(value.holder)

    def take_uses(self) -> tuple[TokenUse, ...]:
        """The uses noted since the last time."""
        with self._lock:
            taken, self._uses = self._uses, {}
        return tuple(TokenUse(token=token, at=at) for token, at in taken.items())

    def load(self) -> None:
        """Read the file of an earlier process. One that is missing, broken or another Deployment's is left alone."""
        try:
            kept = _Kept.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValidationError) as error:
            log.warning(
                "Cannot read the file of roles",
                action="access_file_unread",
                path=str(self._path),
                error=type(error).__name__,
            )
            return
        if kept.document.deployment == self._deployment:
            self._take(kept.document, kept.heard_at)

    def accept(self, document: AccessDocument) -> None:
        """From now on this decides. Raises ValueError for the document of another Deployment."""
        if document.deployment != self._deployment:
            raise ValueError(f"an access document of the Deployment {document.deployment}")
        self._take(document, self._clock())
        self._write()

    def confirm(self) -> None:
        """Note that the platform has answered that nothing has changed."""
        self._heard_at = self._clock()
        self._write()

    def _take(self, document: AccessDocument, heard_at: datetime) -> None:
        self._document, self._heard_at = document, heard_at
        self._access = Access.of(document)

    def _in_force(self, holder: Holder | None) -> Holder | None:
        return holder.reduced() if holder is not None and self.stale else holder

    def _write(self) -> None:
        if self._document is None or self._heard_at is None:
            return
        text = _Kept(heard_at=self._heard_at, document=self._document).model_dump_json()
        # Every API server of this machine writes the same file, each a part of its own first.
        part = self._path.with_name(f"{self._path.name}.{uuid4().hex}.part")
        try:
            with self._lock:
                try:
                    with open(part, "w", encoding="utf-8", opener=_private) as file:
                        file.write(text)
                    part.replace(self._path)
                finally:
                    part.unlink(missing_ok=True)
        except OSError as error:
            log.warning(
                "Cannot write the file of roles",
                action="access_file_unwritten",
                path=str(self._path),
                error=str(error),
            )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
