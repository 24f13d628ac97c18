"""The part of the platform's client that is about code of a Deployment's own."""

from __future__ import annotations

from typing import IO, Any
from urllib.parse import quote

from tradewind.client.people_client import PeopleClient
from tradewind_protocol import operator, plane_archives
from tradewind_protocol.deploys import ArchiveView, DeployView, NewDeploy, RollBack
from tradewind_protocol.platform import OperationView


class DeploysClient(PeopleClient):
    """Every method raises Refused when the platform says no and Unreachable when none answers."""

    def send_archive(
        self, deployment: str, digest: str, archive: IO[bytes], *, reason: str = ""
    ) -> ArchiveView:
        """Sent again, it changes nothing."""
        return self._ask(
            ArchiveView,
            "PUT",
            f"/deployments/{quote(deployment, safe='')}/archives/{quote(digest, safe=':')}",
            params={"reason": reason},
            headers={"Content-Type": plane_archives.MEDIA_TYPE},
            content=archive.read(),
        )

    def deploys(self, deployment: str, **filters: Any) -> operator.Page[DeployView]:
        return self._ask(operator.Page[DeployView], "GET", _path(deployment), params=filters)

    def deploy(self, deployment: str, ask: NewDeploy, *, reason: str = "") -> OperationView:
        return self._ask(OperationView, "POST", _path(deployment), ask, params={"reason": reason})

    def roll_back(self, deployment: str, ask: RollBack, *, reason: str = "") -> OperationView:
        path = f"{_path(deployment)}/roll-back"
        return self._ask(OperationView, "POST", path, ask, params={"reason": reason})


def _path(deployment: str) -> str:
    return f"/deployments/{quote(deployment, safe='')}/deploys"
