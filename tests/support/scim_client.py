"""A client of SCIM over httpx: the conformance tester asks through it."""

from __future__ import annotations

from typing import Any

import httpx
from scim2_client import BaseSyncSCIMClient
from scim2_models import Context


class ScimClient(BaseSyncSCIMClient):
    """Sends what the library has prepared, and lets it check the answers.

    Starlette's test client uses httpx2 wherever it is installed, so the library's own engine, which needs that, would
    change every test of an API.
    """

    def __init__(self, client: httpx.Client) -> None:
        super().__init__()
        self._client = client

    def create(self, resource: Any, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.CREATION_RESPONSE_STATUS_CODES)
        prepared = self._prepare_create_request
        return self._ask("POST", prepared, Context.RESOURCE_CREATION_RESPONSE, more, resource=resource)

    def query(self, target: Any = None, id: Any = None, query_parameters: Any = None, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.QUERY_RESPONSE_STATUS_CODES)
        named = {"target": target, "id": id, "query_parameters": query_parameters}
        return self._ask("GET", self._prepare_query_request, Context.RESOURCE_QUERY_RESPONSE, more, **named)

    def search(self, search_request: Any = None, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.SEARCH_RESPONSE_STATUS_CODES)
        named = {"search_request": search_request}
        return self._ask("POST", self._prepare_search_request, Context.RESOURCE_QUERY_RESPONSE, more, **named)

    def delete(self, resource: Any = None, id: Any = None, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.DELETION_RESPONSE_STATUS_CODES)
        return self._ask("DELETE", self._prepare_delete_request, None, more, resource=resource, id=id)

    def replace(self, resource: Any, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.REPLACEMENT_RESPONSE_STATUS_CODES)
        prepared = self._prepare_replace_request
        return self._ask("PUT", prepared, Context.RESOURCE_REPLACEMENT_RESPONSE, more, resource=resource)

    def modify(self, resource: Any = None, patch_op: Any = None, id: Any = None, **more: Any) -> Any:
        more.setdefault("expected_status_codes", self.PATCH_RESPONSE_STATUS_CODES)
        named = {"resource": resource, "patch_op": patch_op, "id": id}
        return self._ask("PATCH", self._prepare_patch_request, Context.RESOURCE_PATCH_RESPONSE, more, **named)

    def _ask(self, method: str, prepare: Any, context: Any, more: dict[str, Any], **named: Any) -> Any:
        raises, checks = more.pop("raise_scim_errors", None), more.pop("check_response_payload", None)
        asked = prepare(**named, **more)
        body = {"params": asked.payload} if method == "GET" else {"json": asked.payload}
        answer = self._client.request(method, asked.url, **body, **asked.request_kwargs)
        return self.check_response(
            payload=answer.json() if answer.content else None,
            status_code=answer.status_code,
            headers=answer.headers,
            expected_status_codes=asked.expected_status_codes or more["expected_status_codes"],
            expected_types=asked.expected_types,
            check_response_payload=checks,
            raise_scim_errors=raises,
            **({} if context is None else {"scim_ctx": context}),
            **({"target": asked.target} if method == "GET" else {}),
        )
