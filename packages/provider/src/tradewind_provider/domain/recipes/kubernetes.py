"""As plain objects of Kubernetes."""

from __future__ import annotations

from typing import Final

from tradewind_provider.domain.recipes import site_services
from tradewind_provider.domain.recipes.container import STATE, USER
from tradewind_provider.domain.recipes.requests import FOLDER, Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import agent_toml
from tradewind_provider.domain.recipes.text import file, literal, slug

KEY_SECRET: Final = "tradewind-site-key"
KEY_FOLDER: Final = "/run/secrets/tradewind-site"


def secret(name: str) -> RecipeStep:
    """The step that makes the Secret with the agent's token."""
    return RecipeStep(
        "Create a Secret with the token. Paste it, press Enter, then Ctrl-D.",
        "secret command",
        f"kubectl create secret generic {name}-token --from-file=token=/dev/stdin",
    )


def site_key(wanted: RecipeRequest) -> list[RecipeStep]:
    """The step that makes the site's key, where its agents need one."""
    step = RecipeStep(
        "Create a Secret with the site's key, once for all agents of the site in this namespace.",
        "site key command",
        f"kubectl get secret {KEY_SECRET} >/dev/null 2>&1 || openssl rand -hex 32 | "
        f"kubectl create secret generic {KEY_SECRET} --from-file=site.key=/dev/stdin",
    )
    return [step] if wanted.needs_key else []


def claims(wanted: RecipeRequest) -> list[tuple[str, str, bool]]:
    """Volume claims that the owner has to bring: name of the volume, path, read-only."""
    found = []
    if wanted.bundle.kind == FOLDER:
        found.append(("dags", wanted.bundle.folder, True))
    if wanted.shared_folder:
        found.append(("storage", wanted.shared_folder, False))
    return found


def about_claims(wanted: RecipeRequest) -> str:
    """A sentence on the claims; empty without any."""
    name = slug(wanted.name)
    needed = [f"{name}-{volume} for {path}" for volume, path, _ in claims(wanted)]
    return f" It needs a PersistentVolumeClaim {' and one '.join(needed)}." if needed else ""


def manifest(wanted: RecipeRequest) -> str:
    """A ConfigMap with the settings and a StatefulSet of one pod; a ServiceAccount, where Vault knows the pod by one."""
    account = site_services.service_account(wanted)
    objects = (
        [f"apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {literal(account)}}}"] if account else []
    )
    return "\n---\n".join([*objects, _config_map(wanted), _stateful_set(wanted)])


def _config_map(wanted: RecipeRequest) -> str:
    key = {"site_key_file": f"{KEY_FOLDER}/site.key"} if wanted.needs_key else {}
    settings = agent_toml(wanted, token_file="/run/secrets/tradewind/token", state_dir=STATE, **key)
    lines = "\n".join(f"    {line}" if line else "" for line in settings.splitlines())
    return f"""apiVersion: v1
kind: ConfigMap
metadata: {{name: {slug(wanted.name)}}}
data:
  agent.toml: |
{lines}"""


def _stateful_set(wanted: RecipeRequest) -> str:
    name = slug(wanted.name)
    account = site_services.service_account(wanted)
    named = f"      serviceAccountName: {literal(account)}\n" if account else ""
    mounts, volumes = _optional_volumes(wanted)
    return f"""apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: {name}}}
spec:
  serviceName: {name}
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
{named}      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: 660
      securityContext:
        {{runAsNonRoot: true, runAsUser: {USER}, runAsGroup: {USER}, fsGroup: {USER}, seccompProfile: {{type: RuntimeDefault}}}}
      containers:
        - name: agent
          image: {literal(wanted.image)}
          args: [tradewind-agent, run, --config, /etc/tradewind/agent.toml]
          env:
            - {{name: HOME, value: {STATE}}}
            - {{name: TRADEWIND_AGENT_METRICS_HOST, value: 0.0.0.0}}
          ports: [{{name: metrics, containerPort: 39091}}]
          startupProbe: {{httpGet: {{path: /healthz, port: metrics}}, periodSeconds: 2, failureThreshold: 60}}
          livenessProbe: {{httpGet: {{path: /healthz, port: metrics}}, periodSeconds: 20, timeoutSeconds: 10}}
          readinessProbe: {{httpGet: {{path: /readyz, port: metrics}}, periodSeconds: 10, timeoutSeconds: 5}}
          securityContext: {{allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {{drop: [ALL]}}}}
          volumeMounts:
            - {{name: state, mountPath: {STATE}}}
            - {{name: settings, mountPath: /etc/tradewind, readOnly: true}}
            - {{name: token, mountPath: /run/secrets/tradewind, readOnly: true}}
            - {{name: tmp, mountPath: /tmp}}
{"".join(mounts)}      volumes:
        - {{name: settings, configMap: {{name: {name}}}}}
        - {{name: token, secret: {{secretName: {name}-token, defaultMode: 0440}}}}
        - {{name: tmp, emptyDir: {{}}}}
{"".join(volumes)}  volumeClaimTemplates:
    - metadata: {{name: state}}
      spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}"""


def _optional_volumes(wanted: RecipeRequest) -> tuple[list[str], list[str]]:
    """Lines of mounts and of volumes that not every agent has."""
    mounts, volumes = [], []
    if wanted.needs_key:
        mounts.append(f"            - {{name: site-key, mountPath: {KEY_FOLDER}, readOnly: true}}\n")
        volumes.append(
            f"        - {{name: site-key, secret: {{secretName: {KEY_SECRET}, defaultMode: 0440}}}}\n"
        )
    for volume, path, read_only in claims(wanted):
        mode = ", readOnly: true" if read_only else ""
        claim = f"{slug(wanted.name)}-{volume}"
        mounts.append(f"            - {{name: {volume}, mountPath: {literal(path)}{mode}}}\n")
        volumes.append(f"        - {{name: {volume}, persistentVolumeClaim: {{claimName: {claim}}}}}\n")
    if site_services.service_account(wanted):
        mounts.append(f"            - {site_services.VAULT_TOKEN_MOUNT}\n")
        volumes.append(f"        - {site_services.VAULT_TOKEN}\n")
    return mounts, volumes


def kubernetes(wanted: RecipeRequest, versions: Versions) -> Recipe:
    name = slug(wanted.name)
    return Recipe(
        "kubernetes",
        "Kubernetes",
        (
            secret(name),
            *site_key(wanted),
            RecipeStep(
                "The agent, with an image as the recipe for a container builds it. Its state stays on a volume, so that it is "
                "the same agent after a restart." + about_claims(wanted),
                "manifest",
                file("kubectl apply --filename -", manifest(wanted)),
            ),
            RecipeStep(
                "Watch the agent start:", "status command", f"kubectl rollout status statefulset/{name}"
            ),
        ),
    )
