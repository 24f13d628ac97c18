"""With the chart of this repository."""

from __future__ import annotations

import re

from tradewind_provider.domain.recipes import site_services
from tradewind_provider.domain.recipes.kubernetes import (
    KEY_SECRET,
    about_claims,
    claims,
    secret,
    site_key,
)
from tradewind_provider.domain.recipes.requests import NONE, Recipe, RecipeRequest, RecipeStep, Versions
from tradewind_provider.domain.recipes.settings_file import choices
from tradewind_provider.domain.recipes.text import file, literal, quoted, slug


def values(wanted: RecipeRequest) -> str:
    """Values of the chart that run one agent for everything, as the other recipes do."""
    name = slug(wanted.name)
    chosen = choices(wanted)
    storage = chosen.pop("storage", "")
    lines = [
        f"planeUrl: {literal(wanted.plane_url)}",
        "token:",
        f"  existingSecret: {name}-token",
        *(["siteKey:", f"  existingSecret: {KEY_SECRET}"] if wanted.needs_key else []),
        *([f"storage: {literal(storage)}"] if storage else []),
        *_services(wanted),
        "image:",
        *(f"  {key}: {literal(value)}" for key, value in _parts(wanted.image).items()),
        "standalone:",
        "  enabled: true",
        "  settings:",
        f"    name: {literal(chosen.pop('name'))}",
        *(f"  {key}: {literal(value)}" for key, value in chosen.items()),
    ]
    account = site_services.service_account(wanted)
    if account:
        lines += [f"  serviceAccount: {{name: {literal(account)}}}"]
    if claims(wanted) or account:
        lines += ["  volumes:"]
        lines += [
            f"    - {{name: {one}, persistentVolumeClaim: {{claimName: {name}-{one}}}}}"
            for one, _, _ in claims(wanted)
        ]
        lines += [f"    - {site_services.VAULT_TOKEN}"] if account else []
        lines += ["  volumeMounts:"]
        lines += [
            f"    - {{name: {one}, mountPath: {literal(path)}, readOnly: {literal(read_only)}}}"
            for one, path, read_only in claims(wanted)
        ]
        lines += [f"    - {site_services.VAULT_TOKEN_MOUNT}"] if account else []
    if wanted.bundle.kind != NONE:
        lines += [
            "bundles:",
            f"  - name: {literal(wanted.bundle.name)}",
            f"    classpath: {literal(wanted.bundle.classpath)}",
            f"    kwargs: {literal(wanted.bundle.kwargs)}",
        ]
    return "\n".join(lines)


def _services(wanted: RecipeRequest) -> list[str]:
    lines = []
    classpath, arguments = site_services.secrets_backend(wanted)
    if classpath:
        lines += ["secretsBackend:", f"  class: {literal(classpath)}", f"  kwargs: {literal(arguments)}"]
    if wanted.logs.url:
        lines += ["logs:", f"  remote: {literal(wanted.logs.url)}"]
        lines += [
            f"  {key}: {literal(value)}"
            for key in ("connection", "container")
            if (value := getattr(wanted.logs, key))
        ]
    return lines


def helm(wanted: RecipeRequest, versions: Versions) -> Recipe:
    name = slug(wanted.name)
    chart = "deploy/helm/tradewind-agent"
    if wanted.packages:
        chart = quoted(f"{wanted.packages}/charts/tradewind-agent-{versions.tradewind}.tgz")
    return Recipe(
        "helm",
        "Helm",
        (
            secret(name),
            *site_key(wanted),
            RecipeStep(
                "The values, with an image as the recipe for a container builds it; more of them are in "
                "docs/reference/helm-values.md." + about_claims(wanted),
                "values file",
                file("cat > values.yaml", values(wanted)),
            ),
            RecipeStep(
                "Install the chart:" if wanted.packages else "From a checkout of Tradewind:",
                "install command",
                f"helm install {name} {chart} --values values.yaml",
            ),
        ),
    )


def _parts(image: str) -> dict[str, str]:
    """Repository, tag and digest of an image's name; a port is no tag."""
    named, _, digest = image.partition("@")
    tagged = re.fullmatch(r"(.*):([\w][\w.-]*)", named)
    found = {"repository": tagged[1], "tag": tagged[2]} if tagged else {"repository": named}
    return found | ({"digest": digest} if digest else {})
