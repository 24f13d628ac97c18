"""The charts as Helm renders them, without a cluster: Helm's own library, and Kubernetes' own schemas."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import yaml
from jsonschema.validators import Draft202012Validator
from kubernetes_validate.utils import all_versions, schema_contents
from referencing import Registry, Resource

from support.cluster import CACHE
from support.installed import ROOT

AGENT = ROOT / "deploy/helm/tradewind-agent"
PLANE = ROOT / "deploy/helm/tradewind-plane"
CONTROLLER = ROOT / "deploy/helm/tradewind-controller"
KUBERNETES = ("1.35", "1.36", "1.37")
HELM_3 = CACHE / "bin/helm3"
"""`make kubernetes` builds it. The library that renders is of Helm 4."""
BESIDE = {"keda.sh/v1alpha1", "monitoring.coreos.com/v1"}
"""Kinds of other programs, which Kubernetes' schemas do not have."""


class Rendered(dict[tuple[str, str], dict[str, Any]]):
    """Objects by kind and name."""

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The objects of a kind, by name."""
        return {name: each for (found, name), each in self.items() if found == kind}

    def only(self, kind: str) -> dict[str, Any]:
        """The one object of a kind."""
        (found,) = self.of(kind).values()
        return found

    def workloads(self) -> dict[str, dict[str, Any]]:
        """All that makes pods, by name."""
        return {name: each for (kind, name), each in self.items() if kind in MAKERS}


MAKERS = ("Deployment", "StatefulSet", "Job")


def render(
    chart: Path,
    values: Mapping[str, Any],
    *,
    name: str = "site",
    namespace: str = "data",
) -> Rendered:
    """What Helm makes of the chart. Raises HelmError with what it says."""
    return _by_name(documents(_once_rendered(chart, json.dumps(values), name, namespace)))


def render_text(chart: Path, values: str, name: str, namespace: str) -> dict[str, str]:
    """The text of each template with these values, which are JSON."""
    given = json.loads(values)
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(loaded.merge_values(given))
        made: dict[str, str] = loaded.render(given, name=name, namespace=namespace)
    return made


# Many tests look at what is made of one and the same values.
_once_rendered = cache(render_text)


def render_with_helm_3(chart: Path, values: Mapping[str, Any], *, name: str) -> Rendered:
    """What Helm 3 makes of the chart."""
    made = subprocess.run(
        [HELM_3, "template", name, chart, "--namespace", "data", "--kube-version", "1.35.0", "--values", "-"],
        input=json.dumps(values), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return _by_name(documents({"": made.stdout}))


def _by_name(objects: Iterator[dict[str, Any]]) -> Rendered:
    found = Rendered()
    for each in objects:
        key = (each["kind"], each["metadata"]["name"])
        assert key not in found, f"two objects are {key}"
        found[key] = each
    return found


def documents(made: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for path, text in made.items():
        if not path.endswith("NOTES.txt"):
            yield from (each for each in yaml.load_all(text, Loader=_Strict) if each)


class _Strict(yaml.CSafeLoader):
    """Refuses a key that is there twice: YAML keeps the last one, and the other setting is silently gone."""


def _once(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]  # type: ignore[no-untyped-call]
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    assert not twice, f"keys that are there twice: {twice}{node.start_mark}"
    return loader.construct_mapping(node, deep=True)


_Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _once)


def valid(made: Rendered) -> None:
    """Hold each object against the schemas of the versions of Kubernetes that are supported."""
    for each in made.values():
        if each["apiVersion"] not in BESIDE:
            for version in KUBERNETES:
                _validator(version, each["apiVersion"], each["kind"]).validate(each)


@cache
def _validator(version: str, api_version: str, kind: str) -> Draft202012Validator:
    """As kubernetes_validate makes one, strictly, but once: it reads three megabytes anew for each object."""
    (supported,) = {one for one in all_versions() if one.startswith(f"{version}.")}
    group, _, of_group = api_version.rpartition("/")
    name = f"{group.partition('.')[0]}-{of_group}" if group else api_version
    schema = _schema(version, f"v{supported}-local-strict/{kind.lower()}-{name}.json")
    definitions = _schema(version, f"v{supported}-local-strict/_definitions.json")
    return Draft202012Validator(schema.contents, registry=definitions @ (schema @ Registry()))


@cache
def _schema(version: str, file: str) -> Resource[Any]:
    return Resource.from_contents(schema_contents(f"kubernetes-json-schema/{file}", version))


def pod_of(workload: Mapping[str, Any]) -> dict[str, Any]:
    return workload["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def environment(workload: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of the first container: a value, or where it comes from."""
    listed = pod_of(workload)["containers"][0]["env"]
    names = [each["name"] for each in listed]
    assert len(names) == len(set(names)), sorted(names)
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in listed}


def not_restricted(pod: Mapping[str, Any]) -> list[str]:
    """What the restricted Pod Security Standard has against a pod."""
    found = []
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True:
        found.append("may run as root")
    if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("has no seccomp profile")
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    found += [
        f"volume {each['name']}" for each in pod.get("volumes", []) if not set(each) - {"name"} <= allowed
    ]
    found += [f"has {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or "ALL" not in own.get("capabilities", {}).get(
            "drop", []
        ):
            found.append(f"container {container['name']} may escalate")
        if own.get("readOnlyRootFilesystem") is not True:
            found.append(f"container {container['name']} writes to its root")
    return found


BASELINE = {
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP",
    "SETUID", "SYS_CHROOT",
}  # fmt: skip
"""Capabilities that the baseline profile of the Pod Security Standards lets a container add."""


def not_baseline(pod: Mapping[str, Any]) -> list[str]:
    """What the baseline Pod Security Standard has against a pod."""
    found = [f"has {key}" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    found += [f"volume {each['name']}" for each in pod.get("volumes", []) if "hostPath" in each]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        own = container.get("securityContext", {})
        added = set(own.get("capabilities", {}).get("add", [])) - BASELINE
        found += [f"container {container['name']} adds {each}" for each in sorted(added)]
        if own.get("privileged"):
            found.append(f"container {container['name']} is privileged")
        found += [
            f"port {each['hostPort']} of the host"
            for each in container.get("ports", [])
            if each.get("hostPort")
        ]
    return found
