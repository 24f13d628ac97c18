"""What the driver asks of the Airflow of a Deployment, past the gateway."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tradewind_platform.domain.roles import AirflowRole
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.settings import host_of
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_platform.security.airflow_tokens import token_for
from tradewind_protocol import paths

_NAME: Final = "tradewind-platform"
"""In the Deployment's own audit trail."""


def ask(
    planes: Planes, document: Document, method: str, path: str, *, missing_is_well: bool = False, **more: Any
) -> Any:
    """What its operator API answers. Raises StepFailed when it does not or refuses; None for what is missing, where that is
    well."""
    answer = _asked(planes, document, method, paths.OPERATOR_PREFIX + path, **more)
    if answer.status_code == 404 and missing_is_well:
        return None
    return _read(answer, path)


def ask_airflow(planes: Planes, document: Document, path: str, **more: Any) -> Any:
    """What its REST API answers to a GET. Raises StepFailed when it does not or refuses."""
    return _read(_asked(planes, document, "GET", "/api/v2" + path, **more), path)


def _asked(planes: Planes, document: Document, method: str, path: str, **more: Any) -> httpx.Response:
    token = token_for(document.id, document.secrets["jwt"], name=_NAME, role=AirflowRole.ADMIN)
    try:
        return httpx.request(
            method,
            planes.address(document.slug) + path,
            headers={"Host": host_of(document.people_url), "Authorization": f"Bearer {token}"},
            timeout=30,
            **more,
        )
    except httpx.HTTPError as error:
        raise StepFailed(f"the API server does not answer: {type(error).__name__}") from None


def _read(answer: httpx.Response, path: str) -> Any:
    if not answer.is_success:
        raise StepFailed(f"{path}: Airflow answers {answer.status_code}")
    return answer.json() if answer.content else None
