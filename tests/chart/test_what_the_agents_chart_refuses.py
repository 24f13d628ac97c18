"""Values that cannot work are refused with what to do."""

from __future__ import annotations

import re
from typing import Any

import helm_python as helm
import pytest

from chart.agents_values import GIT, rendered


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"planeUrl": ""}, "planeUrl is empty"),
        ({"planeUrl": "airflow.example.com"}, "planeUrl"),
        ({"planeUrl": "https://user:password@airflow.example.com"}, "planeUrl"),
        ({"token": {"existingSecret": ""}}, "token.existingSecret is empty"),
        ({"token": {"value": "tw_agent_x"}}, "'value'"),
        ({"image": {}}, "image.repository is empty"),
        ({"replicas": 2}, "'replicas'"),
        ({"siteKey": None}, "openssl rand -hex 32"),
        ({"storage": ""}, "storage is empty"),
        ({"storage": "bucket"}, "storage"),
        ({"workers": [{"name": "default"}]}, "workers is a map by name, not a list"),
        ({"workers": {"Default": {}}}, "Default"),
        ({"workers": {"triggerer": {}}}, "triggerer"),
        ({"workers": {"gpu": {"queue": "x"}}}, "'queue'"),
        ({"workers": {"default": None}, "dagProcessor": {"enabled": False}, "triggerer": {"enabled": False}}, "has no pods"),
        ({"workers": {"gpu": {"queues": ["a"], "environments": [{"name": "x"}]}}}, "each environment has its own"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda"}}}}, "tokens create --kind scaler"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda", "fallback": {"replicas": 0}}}}}, "'fallback'"),
        ({"workers": {"gpu": {"autoscaling": {"type": "keda", "source": "sentinel"}}}}, "set sentinel.enabled"),
        ({"workers": {"gpu": {"autoscaling": {"type": "hpa"}}}}, "autoscaling.metrics is empty"),
        ({"sentinel": {"enabled": True}}, "tokens create --kind sentinel"),
        ({"logShipper": {"enabled": True}}, "logShipper.image is empty"),
        ({"podDefaults": {"terminationGracePeriodSeconds": 30}}, "terminationGracePeriodSeconds"),
        ({"proxy": {"url": "http://u:p@proxy:3128"}}, "name it in proxy.existingSecret"),
        ({"settings": {"proxy": "http://u:p@proxy:3128"}}, "named in proxy.existingSecret"),
        ({"settings": {"traces_headers": "a=b"}}, "named in traces.existingSecret"),
        ({"settings": {"bundles": "[]"}}, "the value bundles, beside settings"),
        ({"settings": {"token": "tw_agent_x"}}, "settings.token is a Secret"),
        ({"settings": {"slots": 3}}, "workers.<name>.slots"),
        ({"workers": {"gpu": {"settings": {"queues": ["a"]}}}}, "workers.<name>.queues"),
        ({"env": [{"name": "TRADEWIND_AGENT_POLICY", "value": "open"}]}, "write settings.policy"),
        ({"bundles": [{**GIT, "kwargs": {"access_token": "x"}}]}, "name a connection of the site"),
        ({"bundles": [{"name": "dags"}]}, "classpath"),
        ({"secretsBackend": {"class": "x", "kwargs": {"token": "s"}}}, "secretsBackend.existingSecret"),
        ({"settings": {"run_as": "etl"}}, "the value taskUser"),
        ({"taskUser": {"enabled": True}, "openshift": True}, "OpenShift assigns users"),
        ({"taskUser": {"enabled": True}, "storage": "/shared", "siteKey": None}, "siteKey.existingSecret is empty"),
        ({"resources": {}}, "resources is now podDefaults.resources"),
        ({"persistence": {"size": "1Gi"}}, "persistence is now podDefaults.state"),
        ({"imagePullSecrets": []}, "imagePullSecrets is now image.pullSecrets"),
        ({"serviceAccount": {}}, "serviceAccount is now podDefaults.serviceAccount"),
        (
            {"podDefaults": {"serviceAccount": {"name": "one"}}, "triggerer": {"serviceAccount": {"annotations": {"iam": "x"}}}},
            "the service account one has other annotations in triggerer than in default",
        ),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_what_to_do(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(helm.HelmError) as refused:
        rendered(values)
    assert sentence in re.sub(r"\s+", " ", str(refused.value))
