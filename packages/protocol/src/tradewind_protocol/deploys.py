"""What is asked of the platform to give a Deployment code of its own: archives, images, and the history of both."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from tradewind_protocol.messages import Message
from tradewind_protocol.platform import Ask

Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Image = Annotated[
    str,
    StringConstraints(
        max_length=500, pattern=r"^[a-z0-9][a-z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*@sha256:[0-9a-f]{64}$"
    ),
]
"""By its digest, which nothing can put another image in the place of: "registry.example.com/team/shop-plane@sha256:…"."""
_Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ArchiveView(Message):
    """An archive of a plane that the platform keeps for a Deployment."""

    digest: str
    airflow: str  # its version of Airflow
    python: str  # minor version
    size: int  # bytes of its files


class GitFacts(Ask):
    """The commit that was deployed, as the one who deploys says."""

    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{7,64}$")]
    branch: _Text = ""
    repository: _Text = ""
    is_dirty: bool = False  # files differed from the commit


class NewDeploy(Ask):
    """Ask for a Deployment's code to be this archive, which was sent before, or this image."""

    digest: Digest | None = None
    image: Image | None = None
    airflow: Annotated[str, StringConstraints(pattern=r"^([0-9]{1,4}(\.[0-9]{1,4}){2})?$")] = ""
    """The version of Airflow in the image; that of an archive is read in it."""
    description: _Text = ""
    git: GitFacts | None = None
    upgrade: bool = False  # its Airflow may be another one: the Deployment is upgraded, with a backup before
    now: bool = False  # an upgrade also outside the maintenance windows


class RollBack(Ask):
    """Ask for code that a Deployment has had."""

    deploy: UUID | None = None  # None: what it had before the present one
    description: _Text = ""


class DeployView(Message):
    """One deploy of code to a Deployment. Kept for 90 days, and as long as it is the present one."""

    id: UUID
    deployment: UUID
    operation: UUID
    status: str  # INITIALIZED, DEPLOYED or FAILED
    error: str = ""
    digest: str = ""
    image: str = ""
    """Without digest and image: the environment of the cluster, without code of the Deployment's own."""
    airflow: str = ""
    description: str = ""
    git: GitFacts | None = None
    is_current: bool = False
    rolled_back_from: UUID | None = None  # the deploy that this one replaced, when it was a roll-back
    created_at: datetime
    created_by: str = ""
