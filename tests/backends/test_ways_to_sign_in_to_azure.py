"""Key Vault and Blob Storage with the page's samples, word for word under their own names, and each identity of the page: an app's
client secret, workload identity, and the managed identity of Container Apps and App Service, and of a virtual machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from backends import prepared
from support import network, pages
from support.cloud import azurite, key_vault
from support.cloud.azurite import AzuriteOfEntra
from support.cloud.key_vault import KeyVault
from support.cloud.metadata import AzureMachine
from support.cloud.namespace import Cloud
from support.environments import of_cloud

PAGE = "site-on-azure.md"
KNOWN = f"client {key_vault.CLIENT} of tenant {key_vault.TENANT}"

pytestmark = [
    pytest.mark.skipif(
        not network.namespaces_available(), reason="network namespaces need root and a kernel with veth"
    ),
    pytest.mark.skipif(bool(azurite.available()), reason=azurite.available()),
]

CONTAINER = """
import os
from azure.identity import DefaultAzureCredential
from azure.storage.blob import ContainerClient
credential = DefaultAzureCredential()
ContainerClient("https://mysite.blob.core.windows.net", "site", credential=credential).create_container()
told("made")
"""


@pytest.fixture(scope="module")
def vault() -> Iterator[KeyVault]:
    """What the page's commands keep there, and the connection of its sample."""
    [connection] = [each for each in pages.blocks(PAGE, "json") if '"wasb"' in each]
    with KeyVault() as made:
        made.secrets["airflow-connections-warehouse"] = "postgres://etl:SECRET@db.internal"
        made.secrets["airflow-variables-limit"] = "100"
        made.secrets["airflow-connections-site-store"] = connection
        yield made


@pytest.fixture(scope="module")
def cloud(vault: KeyVault, directory: Path) -> Iterator[Cloud]:
    routes = dict.fromkeys((key_vault.VAULT, key_vault.ENTRA), vault.url)
    with Cloud(directory / "azure", routes, more=[AzuriteOfEntra.hostname]) as made:
        with AzuriteOfEntra(directory / "azure" / "blob", made.second, made.certificate):
            vault.client_secrets.add("of-the-fixture")
            ours = {**by_client_secret(), "AZURE_CLIENT_SECRET": "of-the-fixture"}
            used(made, directory / "azure", ours, CONTAINER)
            yield made


def used(cloud: Cloud, home: Path, identity: dict[str, str], code: str = prepared.USED) -> Any:
    """What the code tells in the page's environment, whose tasks have that identity."""
    storage = pages.settings(PAGE, 1)["storage"]
    variables = {
        **cloud.environment(),
        **pages.environment(PAGE, 0),
        **pages.environment(PAGE, 1),
        **identity,
    }
    return prepared.run(of_cloud("azure"), home, storage, variables, code, within=cloud.place.command())


def by_client_secret() -> dict[str, str]:
    return {"AZURE_CLIENT_ID": key_vault.CLIENT, "AZURE_TENANT_ID": key_vault.TENANT}


def holds(found: dict[str, list[str]], by: str) -> None:
    assert found["connection"] == ["SECRET", ""], found
    assert found["variable"] == ["100", ""], found
    assert found["value"] == [{"of": "the task"}, ""], found
    assert f"{KNOWN} (by {by})" in found["secrets"][0], found
    for check in ("xcom", "state", "task-logs"):
        assert found[check][0].startswith("wrote"), found
        assert f"{KNOWN} in storage account mysite (by connection site_store)" in found[check][0], found
    assert "SECRET-of-the-app" not in str(found)


def test_by_a_client_secret(cloud: Cloud, vault: KeyVault, tmp_path: Path) -> None:
    vault.client_secrets.add("SECRET-of-the-app")
    identity = {**by_client_secret(), "AZURE_CLIENT_SECRET": "SECRET-of-the-app"}
    holds(used(cloud, tmp_path, identity), "EnvironmentCredential")


def test_a_client_secret_that_is_refused_is_named_with_what_to_do(cloud: Cloud, tmp_path: Path) -> None:
    identity = {**by_client_secret(), "AZURE_CLIENT_SECRET": "SECRET-of-another"}
    found = used(cloud, tmp_path, identity)
    assert "AZURE_CLIENT_ID and AZURE_TENANT_ID" in found["secrets"][1], found
    for check in ("xcom", "state", "task-logs"):
        assert not found[check][0].startswith("wrote") and found[check][1], found
    assert "SECRET-of-another" not in str(found)


def test_by_workload_identity(cloud: Cloud, vault: KeyVault, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-pod")
    vault.assertions.add("of-the-pod")
    identity = {
        "AZURE_CLIENT_ID": key_vault.CLIENT,
        "AZURE_TENANT_ID": key_vault.TENANT,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
        "AZURE_AUTHORITY_HOST": f"https://{key_vault.ENTRA}/",
    }
    holds(used(cloud, tmp_path, identity), "WorkloadIdentityCredential")


def test_by_a_managed_identity(cloud: Cloud, vault: KeyVault, tmp_path: Path) -> None:
    vault.identity_headers.add("of-the-app")
    identity = {"IDENTITY_ENDPOINT": key_vault.IDENTITY, "IDENTITY_HEADER": "of-the-app"}
    holds(used(cloud, tmp_path, identity), "ManagedIdentityCredential")


def test_by_the_managed_identity_of_a_virtual_machine(cloud: Cloud, vault: KeyVault, tmp_path: Path) -> None:
    machine = AzureMachine(lambda service: vault.new_token(key_vault.CLIENT, service))
    with machine.serve_in(cloud.place):
        holds(used(cloud, tmp_path, {}), "ManagedIdentityCredential")
    assert {path.partition("?")[0] for _, path in machine.asked} == {"/metadata/identity/oauth2/token"}


def test_a_machine_without_an_identity_is_named_by_the_doctor(cloud: Cloud, tmp_path: Path) -> None:
    found = used(cloud, tmp_path, {})
    assert "DefaultAzureCredential failed to retrieve a token" in str(found["secrets"]), found
    for check in ("xcom", "state", "task-logs"):
        assert not found[check][0].startswith("wrote") and found[check][1], found


def test_a_token_for_blob_storage_opens_no_vault(vault: KeyVault) -> None:
    """The servers tell the services apart, as Azure does: a test that mixes them up fails."""
    token = vault.new_token(key_vault.CLIENT, "https://storage.azure.com")
    answer = httpx.get(f"{vault.url}/secrets/any/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401, json.dumps(answer.json())
