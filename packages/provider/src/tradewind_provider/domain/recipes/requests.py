"""What a person wants to run, and what they are given for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GIT: Final = "git"
FOLDER: Final = "folder"
NONE: Final = "none"
COMPONENTS: Final = ("worker", "dag_processor", "triggerer")


@dataclass(frozen=True)
class Bundle:
    """Where the Dags are."""

    kind: str = GIT  # or FOLDER, NONE
    name: str = "dags"
    repository: str = ""  # of GIT
    reference: str = "main"  # of GIT: a branch or a tag
    folder: str = ""  # of GIT: a folder inside it; of FOLDER: the path
    connection: str = ""  # of GIT: the id of a connection of the site that has the credential

    @property
    def classpath(self) -> str:
        if self.kind == GIT:
            return "airflow.providers.git.bundles.git.GitDagBundle"
        return "airflow.dag_processing.bundles.local.LocalDagBundle"

    @property
    def kwargs(self) -> dict[str, str]:
        if self.kind == FOLDER:
            return {"path": self.folder}
        found = {"repo_url": self.repository, "tracking_ref": self.reference}
        if self.connection:
            found["git_conn_id"] = self.connection
        if self.folder:
            found["subdir"] = self.folder
        return found


@dataclass(frozen=True)
class Secrets:
    """The site's secrets backend."""

    kind: str = ""  # a key of `site_services.SECRETS_BACKENDS`; empty: none
    place: str = ""  # a region, a project, or the address of a vault
    role: str = ""  # of Vault: as which tasks sign in


@dataclass(frozen=True)
class Logs:
    """The store that task logs are uploaded to."""

    url: str = ""  # empty: they stay on the agent's disk
    connection: str = ""  # the id of a connection of the site
    container: str = ""  # of Azure Blob Storage


@dataclass(frozen=True)
class RecipeRequest:
    """One agent."""

    plane_url: str
    name: str
    components: tuple[str, ...] = COMPONENTS
    queues: tuple[str, ...] = ("default",)
    slots: int = 20
    bundle: Bundle = Bundle()
    site: str = "default"  # of its token
    storage: str = ""  # what the agents of a site share; empty: this agent's own folder
    secrets: Secrets = Secrets()
    logs: Logs = Logs()
    image: str = ""
    packages: str = ""  # a folder that `make dist` built; empty: the package index of pip

    @property
    def shared_folder(self) -> str:
        """`storage`, when it is a folder."""
        return self.storage if self.storage.startswith("/") else ""

    @property
    def needs_key(self) -> bool:
        """Whether the site's agents need a key file: a shared folder holds their key itself, a bucket does not."""
        return bool(self.storage) and not self.shared_folder


@dataclass(frozen=True)
class Versions:
    """What the plane runs, and its agents should."""

    tradewind: str
    airflow: str
    python: str  # "3.12"


@dataclass(frozen=True)
class FieldProblem:
    """Why no recipe can be made of what was filled in."""

    field: str
    message: str


@dataclass(frozen=True)
class RecipeStep:
    """One thing to do."""

    explained: str
    what: str  # "start command": what the text is, for a screen reader
    text: str


@dataclass(frozen=True)
class Recipe:
    """One way to run the agent, in order."""

    key: str
    title: str
    steps: tuple[RecipeStep, ...]
