"""What is rendered is held against Kubernetes' own schemas: each version, each kind, and no field that it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import ValidationError

from support import charts

ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "Role",
    "metadata": {"name": "reader"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
CONFIG_MAP: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "worker"},
    "spec": {
        "selector": {"matchLabels": {"app": "worker"}},
        "template": {
            "metadata": {"labels": {"app": "worker"}},
            "spec": {"containers": [{"name": "worker", "image": "worker:1"}]},
        },
    },
}


def of(*objects: dict[str, Any]) -> charts.Rendered:
    return charts.Rendered({(one["kind"], one["metadata"]["name"]): one for one in objects})


def test_what_is_right_passes() -> None:
    charts.valid(of(ROLE, CONFIG_MAP, DEPLOYMENT))


@pytest.mark.parametrize(
    "wrong",
    [
        {**ROLE, "rules": [{"verbs": "get"}]},
        {**CONFIG_MAP, "content": {}},
        {**DEPLOYMENT, "spec": {**DEPLOYMENT["spec"], "replica": 2}},
    ],
    ids=["a text for a list", "a field of no such kind", "a field that is written wrongly"],
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        charts.valid(of(wrong))


def test_a_kind_that_no_version_knows_is_refused() -> None:
    with pytest.raises(FileNotFoundError):
        charts.valid(of({**CONFIG_MAP, "apiVersion": "v2"}))
