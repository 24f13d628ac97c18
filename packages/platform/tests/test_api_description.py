"""The platform's API keeps what its OpenAPI description promises, whatever is sent (scenario 21)."""

from __future__ import annotations

import os
from functools import cache
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support import described
from support.platform_parts import Api
from tradewind_platform.api.app import create_app
from tradewind_platform.domain.roles import Role
from tradewind_protocol import errors

DESCRIBED = create_app(mock.Mock())
OPERATIONS = described.operations(DESCRIBED)
MORE = int(os.environ.get("TRADEWIND_TEST_EXAMPLES", "0"))
"""So many requests of each route and kind, and other ones each time: a long search. Unset: the same few each time."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
KNOWN = {
    "workspace": "default",
    "token": "ada",
    "cluster": "local",
    "deployment": "sales",
    "operation": str(UUID(int=1)),
    "session": str(UUID(int=1)),
    "user": "ada",
    "team": "data",
    "role": "deployment_viewer",
    "binding": str(UUID(int=1)),
    "invite": str(UUID(int=1)),
    "scope": "workspaces",
    "reference": "default",
    "option": "core.parallelism",
    "variable": "COLOUR",
    "backup": str(UUID(int=1)),
    "digest": "sha256:" + "0" * 64,
    "component": "scheduler",
}


@cache
def schema() -> Any:
    """One for all tests."""
    return described.read(DESCRIBED)


def test_every_route_is_described_and_asked() -> None:
    paths = DESCRIBED.openapi()["paths"].items()
    assert sorted((method.upper(), path) for path, verbs in paths for method in verbs) == OPERATIONS


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(one) for one in OPERATIONS])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "misfits"])
@pytest.mark.timeout(240)
def test_any_request_is_answered_as_described(api: Api, method: str, path: str, mode: GenerationMode) -> None:
    operation = schema()[path][method]
    if mode is GenerationMode.NEGATIVE and not (
        operation.query or operation.path_parameters or operation.body
    ):
        return  # nothing of it can be wrong
    authorization = str(api.with_role(Role.ORGANIZATION_OWNER).headers["Authorization"])

    @settings(
        max_examples=MORE or 8,
        deadline=None,
        derandomize=not MORE,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    def every(case: Any, known: bool) -> None:
        if known and mode is GenerationMode.POSITIVE:
            case.path_parameters = {name: KNOWN[name] for name in case.path_parameters}
        headers = {"Authorization": authorization}
        answer = case.call_and_validate(headers=headers, checks=CHECKS, app=api.app)
        if answer.status_code >= 400:
            errors.Refusal.model_validate(answer.json())

    every()
