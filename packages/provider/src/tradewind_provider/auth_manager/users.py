"""Who asks something of this Airflow, as a token of Airflow's names them. A role is in no token: it is looked up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

from tradewind_protocol.access import AccessUser
from tradewind_provider.domain.access import Holder, holder_of


@dataclass(frozen=True)
class Session:
    """A person's session on the platform, which a sign-in here ends with."""

    id: UUID
    ends_at: datetime


@dataclass(frozen=True)
class PlatformUser(BaseUser):
    """A person who signed in (`session`), an API token (`token_value`), or one of both whom the platform speaks for (`spoken_for`)."""

    id: UUID
    name: str
    session: Session | None = None
    token_value: UUID | None = None
    spoken_for: Holder | None = None
    """The role that the platform looked up a moment ago, for one request that it passes on."""
    issued_at: datetime | None = None

    def get_id(self) -> str:
        return str(self.id)

    def get_name(self) -> str:
        return self.name

    def claims(self) -> dict[str, Any]:
        """What a token of Airflow's holds of it. Raises ValueError for one whom the platform speaks for: it makes its tokens itself."""
        found: dict[str, Any] = {"sub": str(self.id), "name": self.name}
        if self.session is not None:
            return {**found, "sid": str(self.session.id), "sid_exp": int(self.session.ends_at.timestamp())}
        if self.token_value is not None:
            return {**found, "val": str(self.token_value)}
        raise ValueError("a request that the platform passes on has a token already")

    @classmethod
    def of(cls, claims: dict[str, Any]) -> PlatformUser:
        """Of a token whose signature was checked. Raises KeyError or ValueError for one that is not ours."""
        id, name = UUID(claims["sub"]), str(claims["name"])
        issued_at = _moment(claims["iat"])
        if claims.get("via") == "platform":
            stated = AccessUser.model_validate({**claims, "id": id})
            if (holder := holder_of(stated)) is None:
                raise ValueError("a role that this version does not know")
            return cls(id, name, spoken_for=holder, issued_at=issued_at)
        if "val" in claims:
            return cls(id, name, token_value=UUID(claims["val"]), issued_at=issued_at)
        session = Session(UUID(claims["sid"]), _moment(claims["sid_exp"]))
        return cls(id, name, session=session, issued_at=issued_at)


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=timezone.utc)
