"""The owner's key ring in a KMS and in vaults, put there and read by the commands of the page, over the network: AWS by moto,
Vault by OpenBao."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support import pages
from support.cloud.aws import Moto
from support.cloud.openbao import ROOT_TOKEN, OpenBao
from support.cloud.server import Servers, program
from support.environments import of_cloud
from tradewind_agent.environments import key_rings
from tradewind_agent.errors import KeyRingUnavailable
from tradewind_agent.settings import EnvironmentSettings, SealSettings, Settings
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.ring_in_force import RingInForce

PAGE = "keep-the-key-ring-in-a-kms.md"
NOWHERE = "http://127.0.0.1:1"


class SiteWithKeyRing:
    """A site's machine: a folder in place of /etc/tradewind, and the programs of the clouds."""

    def __init__(self, home: Path, variables: Mapping[str, str]) -> None:
        self.home = home
        programs = home / "bin"
        programs.mkdir()
        (programs / "vault").symlink_to(program("bao"))  # the same program under OpenBao's name
        path = [programs, program("aws").parent, Path(sys.executable).parent]
        search = os.pathsep.join([*map(str, path), os.environ["PATH"]])
        self.environ = {"PATH": search, "HOME": str(home), "LANG": "C.UTF-8", "PYTHONUTF8": "1", **variables}
        self.shell(pages.blocks(PAGE, "shell")[0])  # makes the ring

    def shell(self, commands: str) -> None:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.home,
            env=self.environ,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr

    @property
    def ring(self) -> KeyRing:
        return key_ring.read(self.home / "keys.toml")

    async def read(self, section: str, **changed: str) -> KeyRing:
        """The ring that the section's command prints."""
        command = [
            part.replace("/etc/tradewind", str(self.home)) for part in settings_of(section).keys_command
        ]
        command[0] = next(
            str(Path(folder, command[0]))
            for folder in self.environ["PATH"].split(os.pathsep)
            if Path(folder, command[0]).exists()
        )
        return await key_rings.of_command(command, environ={**self.environ, **changed})


def code_of(section: str, language: str) -> str:
    (text,) = re.findall(
        rf"^## {section}\n(.*?)(?=^## |\Z)", (pages.HOW_TO / PAGE).read_text(), re.DOTALL | re.MULTILINE
    )
    (code,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(code)


def settings_of(section: str) -> SealSettings:
    return SealSettings(**pages.tomllib.loads(code_of(section, "toml"))["seal"])


@pytest.fixture
def moto(servers: Servers) -> Moto:
    return servers.get(Moto)


async def test_aws_kms_decrypts_the_ring(moto: Moto, tmp_path: Path) -> None:
    (made,) = moto.calls(("kms", "create_key", {}))
    alias = {"AliasName": "alias/tradewind", "TargetKeyId": made["KeyMetadata"]["KeyId"]}
    moto.calls(("kms", "create_alias", alias))
    site = SiteWithKeyRing(tmp_path, moto.environment())
    site.shell(code_of("AWS KMS", "shell"))
    secret = (tmp_path / "keys.sealed").read_bytes()
    assert b"frankfurt" not in secret
    assert await site.read("AWS KMS") == site.ring
    with pytest.raises(KeyRingUnavailable, match="ended with status 25"):
        await site.read("AWS KMS", AWS_ENDPOINT_URL=NOWHERE, AWS_MAX_ATTEMPTS="1")


async def test_a_ring_in_secrets_manager_is_rotated_while_the_agent_runs(moto: Moto, tmp_path: Path) -> None:
    site = SiteWithKeyRing(tmp_path, moto.environment())
    site.shell(code_of("AWS Secrets Manager", "shell"))
    in_force = RingInForce(now=lambda: 0.0, fetch=lambda: site.read("AWS Secrets Manager"))
    await in_force.fetch_first()
    assert in_force() == site.ring
    site.shell(
        "tradewind-agent keys add keys.toml --id 2027-01 && tradewind-agent keys use keys.toml 2027-01 && "
        "aws secretsmanager put-secret-value --secret-id tradewind/keys --secret-string file://keys.toml"
    )
    await in_force.fetch_again()
    assert in_force() == site.ring and site.ring.current == "2027-01"
    moto.calls(
        ("secretsmanager", "put_secret_value", {"SecretId": "tradewind/keys", "SecretString": "broken"})
    )
    await in_force.fetch_again()
    assert in_force() == site.ring
    assert "the key ring before stays in force" in in_force.problem


async def test_vault_decrypts_the_ring(servers: Servers, tmp_path: Path) -> None:
    bao = servers.get(OpenBao)
    bao.ask("POST", "sys/mounts/transit", {"type": "transit"})
    bao.ask("POST", "transit/keys/tradewind")
    names = {"VAULT_ADDR": bao.url, "VAULT_TOKEN": ROOT_TOKEN, "BAO_ADDR": bao.url, "BAO_TOKEN": ROOT_TOKEN}
    site = SiteWithKeyRing(tmp_path, names)
    site.shell(code_of("Vault and OpenBao", "shell"))
    assert (tmp_path / "keys.sealed").read_text().startswith("vault:v1:")
    assert await site.read("Vault and OpenBao") == site.ring
    with pytest.raises(KeyRingUnavailable, match="ended with status 2"):
        await site.read("Vault and OpenBao", VAULT_TOKEN="of another", BAO_TOKEN="of another")


async def test_the_secrets_backend_of_the_tasks_has_the_ring(moto: Moto, tmp_path: Path) -> None:
    site = SiteWithKeyRing(tmp_path, moto.environment())
    seal = settings_of("The secrets backend of the site")
    secret = {"Name": f"airflow/variables/{seal.keys_variable}", "SecretString": site.ring.text()}
    moto.calls(("secretsmanager", "create_secret", secret))
    variables = {
        **pages.environment("site-on-aws.md", 0),
        **moto.environment(),
        "AIRFLOW_HOME": str(tmp_path),
    }
    environment = EnvironmentSettings(name="tasks", interpreter=of_cloud("amazon"), env=variables)
    settings = Settings(
        plane_url=NOWHERE,
        token_file=tmp_path / "token",
        state_dir=tmp_path,
        environments=(environment,),
        seal=seal,
    )
    fetch = key_rings.fetching(settings)
    assert fetch is not None
    assert await fetch() == site.ring
