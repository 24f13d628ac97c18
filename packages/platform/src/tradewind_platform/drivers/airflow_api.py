"""What a driver asks of the Airflow of a Deployment, past the gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from tradewind_platform.domain.deployment_access import DeploymentAccess
from tradewind_platform.domain.roles import AirflowRole
from tradewind_platform.drivers.away import Away
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_platform.security.airflow_tokens import token_for
from tradewind_protocol import paths

_NAME: Final = "tradewind-platform"
"""In the Deployment's own audit trail."""
_ACCESS: Final = DeploymentAccess.by_role(AirflowRole.ADMIN)
_TIMEOUT: Final = 30.0  # seconds


@dataclass(frozen=True)
class AirflowApi:
    """The APIs of Deployments. `address`: where the API server of one listens, seen from the driver."""

    http: httpx.Client
    address: Callable[[Document], str]

    def operator(
        self, document: Document, method: str, path: str, *, missing_is_well: bool = False, **more: Any
    ) -> Any:
        """What its operator API answers. Raises Away when it does not, StepFailed when it refuses; None for what is missing,
        where that is well."""
        answer = self._asked(document, method, paths.OPERATOR_PREFIX + path, **more)
        if answer.status_code == 404 and missing_is_well:
            return None
        return _read(answer, path)

    def rest(self, document: Document, path: str, **more: Any) -> Any:
        """What its REST API answers to a GET. Raises Away when it does not, StepFailed when it refuses."""
        return _read(self._asked(document, "GET", "/api/v2" + path, **more), path)

    def _asked(self, document: Document, method: str, path: str, **more: Any) -> httpx.Response:
        token = token_for(document.id, document.secrets["jwt"], name=_NAME, access=_ACCESS)
        try:
            return self.http.request(
                method,
                self.address(document) + path,
                headers={"Host": urlsplit(document.people_url).netloc, "Authorization": f"Bearer {token}"},
                timeout=_TIMEOUT,
                **more,
            )
        except httpx.HTTPError as error:
            raise Away(f"the API server does not answer: {type(error).__name__}") from None


def _read(answer: httpx.Response, path: str) -> Any:
    if answer.status_code in (502, 503, 504):
        raise Away(f"the API server does not answer: status {answer.status_code}")
    if not answer.is_success:
        raise StepFailed(f"{path}: Airflow answers {answer.status_code}")
    return answer.json() if answer.content else None
