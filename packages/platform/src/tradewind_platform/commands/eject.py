"""`tradewind platform eject`."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy import select

from tradewind_platform.commands.home import home_options, local_home, opened_home
from tradewind_platform.commands.local_cluster_options import ProcessOptions, local_settings, process_options
from tradewind_platform.domain.operations import Phase
from tradewind_platform.local import eject as ejecting
from tradewind_platform.local.gateway import Gateway
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LOCAL
from tradewind_platform.reconciler.documents import document_of
from tradewind_platform.store.tables import Cluster, Deployment


@click.command()
@home_options
@click.option(
    "--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="Write them here."
)
@process_options
def eject(home: Path, database_url_file: Path | None, target: Path, processes: ProcessOptions) -> None:
    """Write what runs the Deployments of this machine without the platform: units of systemd, and a script for each.

    Changes nothing that runs. To leave the platform: stop it, `tradewind platform down`, then start the units. Sign in to each Airflow
    as `admin` then, with the password in `passwords.json` of its home.
    """
    settings = local_settings(local_home(home.resolve()), processes)
    planes = Planes(settings)
    with opened_home(home, database_url_file) as (store, ring):
        with store.reading_all() as db:
            statement = (
                select(Deployment, Cluster)
                .join(Cluster, Cluster.id == Deployment.cluster_id)
                .where(Cluster.driver == LOCAL, Deployment.phase == Phase.RUNNING.value)
            )
            documents = [
                document_of(db, ring, deployment, cluster)
                for deployment, cluster in db.execute(statement).all()
            ]
    gateway = Gateway(settings, Processes(str(settings.home)))
    written = ejecting.write(planes, documents, gateway.process(), target.resolve())
    click.echo(f"{len(written)} files of {len(documents)} Deployments and their gateway are in {target}.")
