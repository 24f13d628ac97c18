#!/usr/bin/env python3
"""Write the reference pages of the charts' values from the comments and defaults of each values.yaml."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
_KEY = re.compile(r"^( *)([A-Za-z]+):(.*)$")


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Name with dots, default, and what the comment above says, of each value."""
    above: list[str] = []
    said: list[str] = []
    found: list[tuple[str, str, str]] = []
    for line in text.splitlines():
        if line.strip().startswith("#"):
            said.append(line.strip().removeprefix("#").strip())
        elif match := _KEY.match(line):
            depth = len(match[1]) // 2
            above[depth:] = [match[2]]
            found.append((".".join(above), match[3].strip(), " ".join(said)))
            said = []
        else:
            said = []
    yield from found


def table(text: str) -> list[str]:
    lines = ["| value | default | |", "|---|---|---|"]
    listed = list(rows(text))
    names = [name for name, _, _ in listed]
    for at, (name, default, said) in enumerate(listed):
        is_map = at + 1 < len(names) and names[at + 1].startswith(f"{name}.")
        shown = "" if is_map else f"`{default or '{}'}`"
        lines.append(f"| `{name}` | {shown} | {said.replace('|', chr(92) + '|')} |")
    return lines


def pages() -> Iterator[tuple[Path, str]]:
    """Each page, and what belongs on it."""
    for chart, name, head, foot in (
        ("tradewind-agent", "helm-values.md", _HEAD, _FOOT),
        ("tradewind-plane", "plane-helm-values.md", _PLANE_HEAD, ""),
        ("tradewind-controller", "controller-helm-values.md", _CONTROLLER_HEAD, ""),
    ):
        text = (ROOT / "deploy/helm" / chart / "values.yaml").read_text(encoding="utf-8")
        assert yaml.safe_load(text)
        parts = [head.strip(), "", *table(text), *(["", foot.strip()] if foot else []), ""]
        yield ROOT / "docs/reference" / name, "\n".join(parts)


_HEAD = """
# Values of the Helm chart

Generated from `deploy/helm/tradewind-agent/values.yaml` by `docs/scripts/helm_values_page.py`. How to install it:
[agents on Kubernetes](../how-to/kubernetes.md).

The chart's `values.schema.json` refuses a key that is not here, before anything is installed. What cannot work is refused with
what to do. A value that is `null` or empty counts as absent. The smallest file:

```yaml
planeUrl: https://airflow.example.com
token: {existingSecret: my-site-token}
siteKey: {existingSecret: tradewind-site-key}
storage: s3://site_storage@my-bucket/tradewind
image: {repository: registry.example.com/airflow-agent, tag: "3.3.2"}
```

Each key of `podDefaults` may stand in `workerDefaults`, in each of `workers`, in `dagProcessor`, `triggerer` and `standalone`, and so may `image`.
Those that are about pods, not about the agent, may stand in `sentinel`.
"""

_FOOT = """
## Beside other charts

What Apache Airflow's chart (1.22), the agent chart of a commercial offering, and this one have. An empty cell: no such value.

| what | Airflow's | commercial | here |
|---|---|---|---|
| several workers of different kinds | `workers.celery.sets`, a list | `workers`, a list | `workers`, a map: one key of one worker can be set in a second file |
| all in one pod | | | `standalone` |
| credential | `fernetKeySecretName`, `jwtSecretName`, `data`: keys and the database, which each worker has | `agentToken`, `agentTokenSecretName`, `agentTokenFile` | `token.existingSecret` only; re-read without a restart |
| digest of the image | `images.airflow.digest` | | `image.digest`, also of one worker |
| pull secrets | `imagePullSecrets`, `registry` | `imagePullSecretName`, `imagePullSecretData` | `image.pullSecrets` |
| names of objects | `fullnameOverride`, `useStandardNaming` | `resourceNamePrefix` | `nameOverride`, `fullnameOverride` |
| the namespace | Helm's | `namespace`, `createNamespace` | Helm's |
| secrets backend | `config`, `env` | `secretBackend` | `secretsBackend`; a credential in its arguments is refused |
| values of XCom, state of tasks | `config` | `xcomBackend`, `stateStoreBackend` | `storage` |
| task logs | `logs`, `config`, `elasticsearch`, `opensearch` | `commonEnv` | `logs` |
| bundles | `dags.gitSync`, `dagProcessor.dagBundleConfigList` | `dagBundleConfigList`, a text | `bundles`, YAML |
| volume of the Dags | `dags.persistence` | volumes | `volumes`, `volumeMounts`, and a bundle that names the folder |
| lineage | `config` | `openLineage` | `openLineage` |
| traces | `otelCollector` | | `traces` |
| environment variables | `env`, `secret`, `extraEnv`, `extraEnvFrom` | `commonEnv` | `env`, `envFrom`, of all or of one part |
| labels, annotations | `labels`, `airflowPodAnnotations`, by component | `labels`, `annotations` | `commonLabels`, `commonAnnotations`, `podLabels`, `podAnnotations`, `annotations` |
| account for cloud identity | `workers.serviceAccount`, by component | by component | `serviceAccount` of each part |
| pods from Dags | `allowPodLaunching`, `multiNamespaceMode` | `canUseKubernetesPodOperator` | `kubernetesPods`, of each part, in the release's namespace |
| Kerberos | `kerberos` | | `extraContainers`, `volumes`, `env` |
| probes | `workers.celery.livenessProbe`, by component | by component | `probes` of all or of one part; the startup probe allows slow images |
| security contexts | `securityContexts`, `uid`, `gid` | by component | `podSecurityContext`, `securityContext`; `openshift` leaves users to the cluster |
| a user for tasks alone | | | `taskUser` |
| init and extra containers, volumes | `workers.celery.extraInitContainers`, `workers.celery.extraContainers`, `volumes` | by component | `initContainers`, `extraContainers`, `volumes` of all or of one part |
| hooks of the container | `containerLifecycleHooks` | | `lifecycle` |
| node selector, affinity, tolerations | `nodeSelector`, `affinity`, `tolerations`, also by component | by component | of all or of one part |
| topology spread | `topologySpreadConstraints` | | `topologySpread`, on by default |
| priority, runtime class, scheduler | `workers.celery.priorityClassName`, `workers.celery.runtimeClassName`, `schedulerName` | | `priorityClassName`, `runtimeClassName`, `schedulerName` |
| priority classes, quotas and limits of the namespace | `priorityClasses`, `quotas`, `limits` | | `extraObjects` |
| host names, DNS | `workers.celery.hostAliases` | | `hostAliases`, `dnsPolicy`, `dnsConfig` |
| update strategy | `workers.celery.strategy`, `workers.celery.updateStrategy` | | `strategy`; by default no pod is stopped before its successor is ready |
| disruption budget | `workers.celery.podDisruptionBudget`, by component | | `podDisruptionBudget`; only where more than one pod can exist |
| grace | `workers.celery.terminationGracePeriodSeconds` | 600 s | `terminationGracePeriodSeconds`, and the agent's `grace` from it |
| what a pod keeps | `workers.celery.persistence` | | `state`: `emptyDir`, `ephemeral` or `claim` |
| keep the cluster's autoscaler away | `workers.celery.safeToEvict` | | `safeToEvict` |
| network policy | `networkPolicies.enabled`: who may connect | | `networkPolicy`: both directions, for namespaces where all traffic is denied |
| scaling by a metric | `workers.celery.hpa`, `workers.celery.keda` (asks the metadata database) | HPA | `autoscaling`: HPA, or KEDA by the plane's backlog with a token for it alone |
| scaling to zero | `workers.celery.keda` | | `autoscaling.min: 0`; a pod that runs a task is not taken |
| idle pods go first | | | `sentinel.podDeletionCost` |
| proxy, authority, client certificate | `env`, `volumes` | | `proxy`, `ca`, `clientCertificate` |
| monitoring objects | `statsd`, `otelCollector` | | `metrics`: Service, monitors, alerts, dashboard |
| log shipper | | Vector with a `preStop` | `logShipper`, a sidecar that ends after the agent |
| clean-up of old logs | `workers.celery.logGroomerSidecar` | | `settings.keep_logs_days` |
| watch over the pods | | `sentinel` | `sentinel` |
| check of the installation | | | `doctor`, by `helm test` |
| other objects | `extraSecrets`, `extraConfigMaps` | | `extraObjects` |
| unknown keys | refused below the first level | taken | refused |

Airflow's chart also runs what a plane needs: `scheduler`, `apiServer`, `ingress`, `migrateDatabaseJob`, `createUserJob`, `databaseCleanup`, `pgbouncer`,
`postgresql`, `redis`, `flower`. [Tradewind's plane chart](plane-helm-values.md) has the first four; an agent needs none of them. `podTemplate`
and `cleanup` are for pods of KubernetesExecutor, which agents do not make.
"""

_PLANE_HEAD = """
# Values of the plane's Helm chart

Generated from `deploy/helm/tradewind-plane/values.yaml` by `docs/scripts/helm_values_page.py`. How to install it:
[a plane on Kubernetes](../how-to/plane-on-kubernetes.md).

The chart's `values.schema.json` refuses a key that is not here, before anything is installed. The smallest file:

```yaml
image: {repository: registry.example.com/tradewind-plane, tag: "0.1.0"}
publicUrl: https://airflow.example.com
database: {existingSecret: plane-database}
keys: {existingSecret: plane-keys}
auth: {manager: airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager}
```
"""

_CONTROLLER_HEAD = """
# Values of the controller's Helm chart

Generated from `deploy/helm/tradewind-controller/values.yaml` by `docs/scripts/helm_values_page.py`. How to install it:
[run Deployments on Kubernetes](../how-to/run-deployments-on-kubernetes.md).

The chart's `values.schema.json` refuses a key that is not here, before anything is installed. The smallest file:

```yaml
image: {repository: registry.example.com/tradewind-controller, tag: "0.1.0"}
plane: {image: {repository: registry.example.com/tradewind-plane, tag: "0.1.0"}}
platform: {url: "https://platform.example.com", existingSecret: cluster-token}
database: {existingSecret: deployments-database}
gateway:
  agentsHost: c2345abc.external.example.com
  peopleDomain: c2345abc.apps.example.com
  tlsSecret: gateway-tls
```
"""

if __name__ == "__main__":
    for place, made in pages():
        if "--check" not in sys.argv:
            place.write_text(made, encoding="utf-8")
        elif not place.exists() or place.read_text(encoding="utf-8") != made:
            sys.exit(f"{place} is stale: run {Path(__file__).name}")
