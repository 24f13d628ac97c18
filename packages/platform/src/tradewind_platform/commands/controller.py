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
from tradewind_platform.commands.home import FILE
from tradewind_platform.commands.local_cluster_options import (
    GatewayOptions,
    ProcessOptions,
    gateway_options,
    local_settings,
    process_options,
)
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
@process_options
@gateway_options
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
    processes: ProcessOptions,
    gateway: GatewayOptions,
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
    if driver == "local":
        settings = local_settings(home.resolve(), processes, gateway, platform_url=platform_url)
        controller = _of_machine(client, settings)
    elif kubernetes_settings is None:
        raise BadUsage("the driver kubernetes needs --kubernetes-settings")
    else:
        controller = _of_kubernetes(client, kubernetes_settings)
    click.echo(f"controller of the driver {driver}, for {platform_url}", err=True)
    _run(controller, health_listen)


def _of_machine(client: PlatformClient, settings: LocalSettings) -> Controller:
    settings.home.mkdir(mode=0o711, parents=True, exist_ok=True)
    own = version("tradewind-platform")
    return Controller(client, LocalDriver(settings), kind="local", version=own, status=ControllerStatus(own))


def _of_kubernetes(client: PlatformClient, file: Path) -> Controller:
    try:
        settings = kubernetes_settings_of.read(file)
        api = KubernetesApi(Access.of_this_pod())
        databases = _databases(settings, api)
        # The gateway's certificate is checked by agents; here the question is whether there is a route.
        http = httpx.Client(timeout=10, verify=False, trust_env=False)
        driver = KubernetesDriver(settings, api, Helm(settings), databases, http)
        driver.prepare()
    except (ValueError, OSError) as error:
        raise BadUsage(str(error)) from None
    except StepFailed as error:
        raise CommandError(str(error)) from None
    own = version("tradewind-platform")
    return Controller(
        client,
        driver,
        kind="kubernetes",
        version=own,
        facts=driver.facts,
        sizes=tuple(settings.sizes),
        status=ControllerStatus(own),
    )


def _databases(settings: KubernetesSettings, api: KubernetesApi) -> DeploymentDatabases:
    if settings.cloud_native_pg is not None:
        return CloudNativePGDatabases(api, settings.cloud_native_pg)
    assert settings.database_url_file is not None, "settings have one of both"
    return Databases(settings.database_url_file.read_text(encoding="utf-8").strip())


def _run(controller: Controller, health: tuple[str, int] | None) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        controller.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with ExitStack() as stack:
        if health is not None:
            try:
                stack.enter_context(port.serving(controller.status, *health))
            except OSError as error:
                raise BadUsage(
                    f"{health[0]}:{health[1]} cannot be listened on: {error.strerror or error}",
                    remedy="Name a free port in --health-listen.",
                ) from None
        controller.run()
