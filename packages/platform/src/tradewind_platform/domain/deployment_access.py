"""What a principal may do in the Airflow of a Deployment, and the document that a Deployment gets of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tradewind_platform.domain.roles import (
    BY_AIRFLOW_ROLE,
    AirflowRole,
    Permission,
    Principal,
    Target,
)
from tradewind_protocol.access import LIMITED


@dataclass(frozen=True)
class DeploymentAccess:
    """A role in Airflow, permissions on the operator API, and whether the audit trail may be read."""

    airflow_role: AirflowRole | None
    permissions: frozenset[Permission]
    audit: bool

    @classmethod
    def of(cls, principal: Principal, target: Target) -> DeploymentAccess | None:
        """What it may do in that Deployment's Airflow; None for nothing."""
        found = cls(
            principal.airflow_role(target),
            principal.operator_permissions(target),
            principal.may(Permission.AUDIT_GET, target),
        )
        return found if found.airflow_role is not None or found.permissions or found.audit else None

    @classmethod
    def by_role(cls, role: AirflowRole) -> DeploymentAccess:
        """What a role in Airflow gives by itself."""
        return cls(role, BY_AIRFLOW_ROLE[role], audit=False)

    @property
    def role_alone(self) -> str:
        """For an API server that knows roles in Airflow only: the greatest one that gives nothing which is not given here."""
        for role in reversed(AirflowRole):
            if self.airflow_role is not None and self.airflow_role.includes(role):
                if BY_AIRFLOW_ROLE[role] <= self.permissions:
                    return role.value
        return LIMITED

    def on_the_wire(self) -> dict[str, Any]:
        """The fields of an access document, and the claims of a token for Airflow, that say it."""
        airflow = None if self.airflow_role is None else self.airflow_role.value
        # Most people have what their role in Airflow gives, and each change of access makes the documents of all Deployments.
        if self.airflow_role is not None and self.permissions == BY_AIRFLOW_ROLE[self.airflow_role]:
            return {"role": airflow, "audit": self.audit}
        return {
            "role": self.role_alone,
            "audit": self.audit,
            "airflow_role": airflow,
            "permissions": sorted(one.value for one in self.permissions),
        }
