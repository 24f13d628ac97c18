"""Why a request cannot become a recipe: a sentence for the field, shown while it is typed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from tradewind_protocol.sessions import NAME_PATTERN
from tradewind_provider.domain.recipes.requests import (
    COMPONENTS,
    FOLDER,
    GIT,
    NONE,
    Bundle,
    FieldProblem,
    Logs,
    RecipeRequest,
    Secrets,
)
from tradewind_provider.domain.recipes.site_services import LOG_SCHEMES, SECRETS_BACKENDS

_NAME: Final = re.compile(NAME_PATTERN)
_NAME_RULE: Final = "begins with a letter or a digit, then has letters, digits and . _ @ : / - only"
_IMAGE: Final = re.compile(r"[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?", re.IGNORECASE)
_CONNECTION: Final = re.compile(r"[A-Za-z0-9_.-]+")
_SCP_LIKE: Final = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:]+")
_BUCKET: Final = re.compile(r"[A-Za-z0-9_.-]+(@[A-Za-z0-9_.-]+)?(/[^\s?#]*)?")
_FOLDER: Final = re.compile(r"[A-Za-z0-9_.-]+(/[^\s?#]*)?")
_PLACES: Final = {
    "region_name": ("the region", "eu-west-1"),
    "vault_url": ("the vault's address", "https://my-vault.vault.azure.net/"),
    "project_id": ("the project", "my-project"),
    "url": ("Vault's address", "https://vault.example.com"),
}
_STORES: Final = ("s3", "gs", "abfs", "abfss")


def problems(wanted: RecipeRequest) -> tuple[FieldProblem, ...]:
    """Everything that is wrong, one sentence each."""
    return tuple(
        FieldProblem(field, message)
        for field, found in (
            ("plane_url", _address(wanted.plane_url)),
            ("name", _name(wanted.name, "the agent")),
            ("components", _components(wanted.components)),
            ("queues", _queues(wanted.queues)),
            ("slots", () if 0 < wanted.slots <= 10_000 else ("An agent has 1 to 10000 slots.",)),
            *_bundle(wanted.bundle, wanted.components),
            ("site", _name(wanted.site, "the site")),
            ("storage", _storage(wanted.storage)),
            *_secrets(wanted.secrets),
            *_logs(wanted.logs),
            ("image", _image(wanted.image)),
            ("packages", _path(wanted.packages, "the folder with the packages") if wanted.packages else ()),
        )
        for message in found
    )


def _address(text: str) -> Iterator[str]:
    if not text:
        yield (
            "This plane does not know the address at which agents reach it. Set [tradewind] agent_url, or enter the address here: "
            "it can be another one than your browser's."
        )
        return
    try:
        parts = urlsplit(text)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and _is_one_line(text)
    except ValueError:
        whole = False
    if not whole or re.search(r"\s", text):
        yield f"{text!r} is not the address of a plane, such as https://airflow.example.com."
    elif parts.username or parts.password or parts.query or parts.fragment:
        yield "The plane's address has no user, password, query or fragment."


def _name(text: str, what: str) -> Iterator[str]:
    if not text:
        yield f"The name of {what} is missing."
    elif not _NAME.fullmatch(text):
        yield f"The name of {what} {_NAME_RULE}."
    elif len(text) > 250:
        yield f"The name of {what} has at most 250 characters."


def _components(named: tuple[str, ...]) -> Iterator[str]:
    if not named:
        yield "An agent runs at least one of worker, dag processor and triggerer."
    for one in named:
        if one not in COMPONENTS:
            yield f"{one!r} is none of {', '.join(COMPONENTS)}."


def _queues(named: tuple[str, ...]) -> Iterator[str]:
    if not named:
        yield "Name at least one queue; `default` is the one of tasks that name none."
    for one in named:
        yield from _name(one, f"queue {one!r}")


def _bundle(bundle: Bundle, components: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if bundle.kind == NONE:
        needs = [one.replace("_", " ") for one in ("worker", "dag_processor") if one in components]
        if needs:
            why = f"A {' and a '.join(needs)} without Dags does nothing: say where the Dags are."
            yield "bundle.kind", (why,)
        return
    if bundle.kind not in (GIT, FOLDER):
        yield "bundle.kind", (f"{bundle.kind!r} is none of {GIT}, {FOLDER}, {NONE}.",)
        return
    yield "bundle.name", tuple(_bundle_name(bundle.name))
    if bundle.kind == FOLDER:
        yield "bundle.folder", tuple(_path(bundle.folder, "the folder with the Dags"))
        return
    yield "bundle.repository", tuple(_repository(bundle.repository))
    yield "bundle.reference", tuple(_reference(bundle.reference))
    yield "bundle.folder", tuple(_inside(bundle.folder))
    if bundle.connection and not _CONNECTION.fullmatch(bundle.connection):
        yield "bundle.connection", ("The id of a connection has letters, digits and _ . - only.",)


def _bundle_name(text: str) -> Iterator[str]:
    """Airflow takes any text of one line, and the other agents of the site may have such a name already."""
    if not text:
        yield "The name of the bundle is missing."
    elif not _is_one_line(text):
        yield "The name of the bundle is one line of printable text."
    elif len(text) > 250:
        yield "The name of the bundle has at most 250 characters."


def _repository(text: str) -> Iterator[str]:
    if not text:
        yield "The address of the repository is missing, such as https://git.example.com/team/dags.git."
        return
    if not _is_one_line(text) or re.search(r"\s", text) or text.startswith("-"):
        yield f"{text!r} is not the address of a Git repository."
        return
    if _SCP_LIKE.fullmatch(text):
        return
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        yield f"{text!r} is not the address of a Git repository."
        return
    if parts.scheme not in ("https", "http", "ssh", "git", "file"):
        yield "The address of a repository begins with https://, ssh:// or git@."
    elif password or (parts.username and parts.scheme in ("http", "https")):
        yield "A user or password does not belong into the address: name a connection of the site that has them."


def _reference(text: str) -> Iterator[str]:
    if not text:
        yield "Name a branch or a tag, such as main."
    elif (
        not re.fullmatch(r"[A-Za-z0-9][^\s~^:?*\[\\\x00-\x1f\x7f]*", text)
        or ".." in text
        or not _is_one_line(text)
    ):
        yield f"{text!r} is not the name of a branch or a tag."


def _inside(text: str) -> Iterator[str]:
    if text and (text.startswith("/") or ".." in text.split("/") or not _is_one_line(text)):
        yield "The folder inside the repository is relative and stays inside, such as airflow/dags."


def _path(text: str, what: str) -> Iterator[str]:
    if not text.startswith("/") or not _is_one_line(text):
        yield f"Name the whole path of {what}, such as /srv/dags."
    elif ":" in text or ".." in text.split("/"):
        yield f"The path of {what} has neither : nor .. in it."


def _storage(text: str) -> Iterator[str]:
    if text.startswith("/"):
        yield from _path(text, "the shared folder")
        return
    scheme, _, place = text.partition("://")
    if text and not (scheme in _STORES and _BUCKET.fullmatch(place) and _is_one_line(text)):
        yield (
            "Name a folder that every agent of the site mounts, such as /mnt/shared/tradewind, or a bucket, such as "
            "s3://connection@bucket/prefix (also gs:// and abfs://)."
        )


def _secrets(secrets: Secrets) -> Iterator[tuple[str, tuple[str, ...]]]:
    if not secrets.kind:
        return
    if secrets.kind not in SECRETS_BACKENDS:
        yield "secrets.kind", (f"{secrets.kind!r} is none of {', '.join(SECRETS_BACKENDS)}.",)
        return
    backend = SECRETS_BACKENDS[secrets.kind]
    what, example = _PLACES[backend.place]
    if backend.place.endswith("url"):
        whole = re.fullmatch(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?", secrets.place)
    else:
        whole = re.fullmatch(r"[a-z0-9][a-z0-9:.-]*", secrets.place)
    if not whole:
        yield "secrets.place", (f"Name {what}, such as {example}.",)
    if backend.role and not re.fullmatch(r"[A-Za-z0-9._-]+", secrets.role):
        yield "secrets.role", ("Name the role that tasks sign in with: letters, digits and . _ - only.",)


def _logs(logs: Logs) -> Iterator[tuple[str, tuple[str, ...]]]:
    scheme, _, place = logs.url.partition("://")
    if not logs.url:
        return
    if scheme not in LOG_SCHEMES or not _FOLDER.fullmatch(place):
        yield (
            "logs.url",
            ("Name a folder of a bucket, such as s3://bucket/logs, gs://bucket/logs or wasb://logs.",),
        )
    if logs.connection and not _CONNECTION.fullmatch(logs.connection):
        yield "logs.connection", ("The id of a connection has letters, digits and _ . - only.",)
    if scheme == "wasb" and not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", logs.container):
        yield "logs.container", ("Name the container: lower-case letters, digits and - only.",)


def _image(text: str) -> Iterator[str]:
    if not _IMAGE.fullmatch(text):
        yield f"{text!r} is not the name of an image, such as registry.example.com/airflow-agent:1."


def _is_one_line(text: str) -> bool:
    """No control character, which neither YAML nor TOML takes as it is."""
    return text.isprintable()
