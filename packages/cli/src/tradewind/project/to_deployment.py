"""The plane's half of a project on its way to a Deployment of a platform."""

from __future__ import annotations

import tempfile

from tradewind.client.deploys_client import DeploysClient
from tradewind.errors import CommandError
from tradewind.project import plane_archive
from tradewind.project.packages import Packages, locked_version
from tradewind.project.plane_archive import PlaneArchive
from tradewind.project.settings import Project
from tradewind_protocol import airflow_versions, deploys, plane_archives
from tradewind_protocol.plane_archives import AIRFLOW


def prepared(project: Project, packages: Packages) -> PlaneArchive:
    """The archive of the plane as it is now; its lock is made where it is missing. Raises CommandError."""
    packages.lock(project.plane)
    made = plane_archive.of(project)
    require_site(project, made.airflow)
    return made


def require_site(project: Project, airflow: str) -> None:
    """Raises CommandError when the site is locked with an Airflow that could not work with this one on the plane."""
    if not project.site.lock.exists():
        return
    sites = locked_version(project.site.lock, AIRFLOW)
    if why := airflow_versions.skew(sites, airflow):
        raise CommandError(
            f"the site's environment does not fit: {why}", remedy=airflow_versions.remedy(airflow)
        )


def debian_packages(project: Project) -> list[str]:
    """Those of the plane, which only an image has."""
    file = project.plane.folder / "packages.txt"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def current(client: DeploysClient, deployment: str) -> deploys.DeployView | None:
    """What the Deployment runs of its own."""
    return next((one for one in client.deploys(deployment, limit=1000).items if one.is_current), None)


def send(client: DeploysClient, deployment: str, archive: PlaneArchive, *, reason: str) -> None:
    """Raises CommandError for one that is larger than a platform takes."""
    with tempfile.TemporaryFile() as file:
        archive.write(file)
        if file.tell() > plane_archives.COMPRESSED:
            raise CommandError(
                f"the plane's code has {file.tell() // 1024 // 1024} MiB, and a platform takes "
                f"{plane_archives.COMPRESSED // 1024 // 1024} at the most",
                remedy="Put large files into a package of the index, or into the site.",
            )
        file.seek(0)
        client.send_archive(deployment, archive.digest, file, reason=reason)
