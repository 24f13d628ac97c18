"""An identity provider that pushes people and groups, as the tests drive it request by request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from support.platform_parts import Api

BASE = "/scim/v2"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def new_token(api: Api, **ask: int) -> str:
    """SCIM is turned on, or its token replaced."""
    answer = api.owner.post("/v1/organization/scim/token", json=ask)
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["token"]
    return token


@dataclass
class Scim:
    """The requests of an identity provider that has a token."""

    api: Api

    def __post_init__(self) -> None:
        self.token = new_token(self.api)
        self.client: TestClient = self.api.caller(self.token)

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        headers = {"Content-Type": "application/scim+json"}
        return self.client.request(method, BASE + path, json=body, params=query, headers=headers)

    def user(self, user_name: str, **more: Any) -> dict[str, Any]:
        """A person who was pushed."""
        answer = self.request("POST", "/Users", {"schemas": [USER], "userName": user_name, **more})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def group(self, name: str, *members: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A group that was pushed, with these people."""
        body = {"schemas": [GROUP], "displayName": name, **more}
        if members:
            body["members"] = [{"value": one["id"]} for one in members]
        answer = self.request("POST", "/Groups", body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def patch(self, resource: dict[str, Any], *operations: dict[str, Any]) -> Any:
        """The answer to a PATCH of the resource."""
        path = "/" + resource["meta"]["location"].rsplit("/scim/v2/", 1)[1]
        return self.request("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)})

    def found(self, kind: str, filter: str) -> list[dict[str, Any]]:
        """What a filter finds."""
        answer = self.request("GET", f"/{kind}", filter=filter)
        assert answer.status_code == 200, answer.text
        resources: list[dict[str, Any]] = answer.json().get("Resources", [])
        return resources

    def names(self) -> dict[str, str]:
        """The status of each user of the platform, by name."""
        users = self.api.owner.get("/v1/users", params={"limit": 1000}).json()["items"]
        return {one["name"]: one["status"] for one in users}

    def members(self, team: str) -> list[tuple[str, str]]:
        """The members of a team of the platform, and what put them there."""
        found = self.api.owner.get(f"/v1/teams/{team}").json()["members"]
        return [(one["name"], one["source"]) for one in found]
