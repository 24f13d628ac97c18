"""deploy/private-link, held against the real tools: Terraform with the providers' schemas, cfn-lint, and Azure's own types.

No cloud is asked. Terraform's tests plan and apply with mocked providers: they prove names, types, references, what is refused
and what the other side is told, and not that a cloud takes it.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from private_network import arm_types, schema_provider

pytestmark = [pytest.mark.process, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
CODE = ROOT / "deploy" / "private-link"
MODULES = sorted(one.parent for one in CODE.glob("*/*/main.tf"))
SIDES = [f"{one.parent.name}/{one.name}" for one in MODULES]
TERRAFORM = shutil.which("terraform") or shutil.which("tofu")

needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="neither Terraform nor OpenTofu is installed")


class Terraform:
    """The real program, which finds the providers' schemas and reaches no registry."""

    def __init__(self, here: Path) -> None:
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(here),
            "TF_CLI_CONFIG_FILE": str(schema_provider.installed(here, ["aws", "azurerm", "google"])),
            "TF_IN_AUTOMATION": "1",
        }

    def __call__(self, module: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert TERRAFORM is not None
        return subprocess.run(
            [TERRAFORM, *arguments],
            cwd=module,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    return Terraform(tmp_path_factory.mktemp("terraform"))


@pytest.fixture
def module(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy: `init` writes into the module's folder."""
    return Path(shutil.copytree(CODE / request.param, tmp_path / "module"))


@pytest.mark.parametrize("module", SIDES, indirect=True)
@needs_terraform
def test_a_module_is_valid_and_does_what_its_own_tests_say(terraform: Terraform, module: Path) -> None:
    for arguments in (("fmt", "-check", "-recursive"), ("init", "-backend=false"), ("validate",), ("test",)):
        done = (
            terraform(module, *arguments, "-no-color")
            if arguments[0] != "fmt"
            else terraform(module, *arguments)
        )
        assert done.returncode == 0, done.stdout
    assert re.search(r"^Success! [1-9]\d* passed, 0 failed", done.stdout, re.MULTILINE), done.stdout


@pytest.mark.parametrize("module", ["aws/site"], indirect=True)
@pytest.mark.parametrize(
    ("written", "wrong", "said"),
    [
        ("private_dns_enabled = false", "private_dns_enable = false", "An argument named"),
        ("from_port         = 443", 'from_port         = "https"', "a number is required"),
        ("vpc_id              = var.vpc_id\n  service_name", "service_name", "vpc_id"),
        (".dns_entry[0].dns_name", ".dns_entry[0].dns", "does not have an attribute"),
    ],
)
@needs_terraform
def test_a_fault_in_a_module_is_found(
    terraform: Terraform, module: Path, written: str, wrong: str, said: str
) -> None:
    text = (module / "main.tf").read_text()
    assert written in text
    (module / "main.tf").write_text(text.replace(written, wrong))
    assert terraform(module, "init", "-backend=false").returncode == 0
    done = terraform(module, "validate", "-no-color")
    assert done.returncode != 0
    assert said in re.sub(r"[\s│]+", " ", done.stdout)


@pytest.mark.parametrize("cloud", sorted({one.parent.name for one in MODULES}))
def test_each_side_is_told_the_values_of_the_others_variables(cloud: str) -> None:
    told = _block((CODE / cloud / "plane" / "outputs.tf").read_text(), "tell_the_site")
    variables = set(
        re.findall(r'^variable "(\w+)"', (CODE / cloud / "site" / "main.tf").read_text(), re.MULTILINE)
    )
    assert {"cluster_id", "domain"} <= told & variables
    assert (told & variables) - {"cluster_id", "domain"}, "nothing says which service it is"
    assert told - variables <= {"zones", "port"}
    assert _block((CODE / cloud / "site" / "outputs.tf").read_text(), "tell_the_plane")


@pytest.mark.parametrize("side", SIDES)
def test_the_sample_on_a_clouds_page_sets_what_the_module_asks_for(side: str) -> None:
    cloud = {"gcp": "google-cloud"}.get(side.partition("/")[0], side.partition("/")[0])
    page = (ROOT / "docs" / "how-to" / f"private-link-{cloud}.md").read_text()
    (sample,) = re.findall(rf'source\s*= "./deploy/private-link/{side}"\n(.*?)\n}}', page, re.DOTALL)
    variables = dict(
        re.findall(
            r'^variable "(\w+)" {\n(.*?)\n}', (CODE / side / "main.tf").read_text(), re.MULTILINE | re.DOTALL
        )
    )
    set_here = set(re.findall(r"^  (\w+)\s*=", sample, re.MULTILINE))
    assert set_here <= set(variables)
    assert {name for name, body in variables.items() if "default" not in body} <= set_here


def _block(text: str, output: str) -> set[str]:
    body = text.partition(f'output "{output}"')[2].partition("\n}\n")[0].partition("value = {")[2]
    return set(re.findall(r"^\s+(\w+)\s*=", body, re.MULTILINE))


def test_the_schemas_are_of_what_the_modules_use() -> None:
    known = set()
    for provider in ("aws", "azurerm", "google"):
        schemas = json.loads(
            (Path(schema_provider.__file__).parent / "providers" / f"{provider}.json").read_text()
        )
        known |= set(schemas["resource_schemas"]) | {f"data.{one}" for one in schemas["data_source_schemas"]}
    used = {
        f"data.{name}" if kind == "data" else name
        for file in CODE.glob("*/*/*.tf")
        for kind, name in re.findall(r'^(resource|data) "(\w+)"', file.read_text(), re.MULTILINE)
    }
    assert known == used


def _linted(*templates: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *templates],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_the_templates_of_cloudformation_are_valid(tmp_path: Path) -> None:
    pytest.importorskip("cfnlint", reason="`make test-network` installs cfn-lint")
    templates = sorted(CODE.glob("aws/*/template.yaml"))
    assert len(templates) == 2
    wrong = tmp_path / "template.yaml"
    wrong.write_text(templates[0].read_text().replace("AcceptanceRequired", "AcceptanceRequire"))
    said = _linted(*templates, wrong).stdout  # of all at once: the rules take seconds to be read
    assert "AcceptanceRequire" in said
    assert set(re.findall(r"^(\S+template\.yaml):\d", said, re.MULTILINE)) == {str(wrong)}, said


TYPES: dict[str, Any] = json.loads(arm_types.TYPES.read_text())
RESOURCES = list(arm_types.resources())


@pytest.mark.parametrize(
    "resource",
    [one for _, one in RESOURCES],
    ids=[f"{where.parent.name}-{one['type']}" for where, one in RESOURCES],
)
def test_the_resources_of_azures_templates_have_azures_types(resource: dict[str, Any]) -> None:
    assert arm_types.faults(resource, TYPES) == []


def _link_service() -> dict[str, Any]:
    return copy.deepcopy(next(one for _, one in RESOURCES if one["type"].endswith("/privateLinkServices")))


def test_a_fault_in_a_template_of_azure_is_found() -> None:
    wrong = _link_service()
    properties = wrong["properties"]
    properties["proxyProtocol"] = properties.pop("enableProxyProtocol")
    properties["alias"] = "mine"
    properties["copy"][0]["input"]["properties"]["privateIPAddressVersion"] = "v4"
    place = "Microsoft.Network/privateLinkServices.properties"
    assert sorted(arm_types.faults(wrong, TYPES)) == [
        f"{place}.alias: read only",
        f"{place}.ipConfigurations[0].properties.privateIPAddressVersion: 'v4' is none of IPv4, IPv6",
        f"{place}.proxyProtocol: no such property",
    ]


def test_what_a_template_of_azure_refers_to_is_in_it() -> None:
    for template in arm_types.TEMPLATES:
        text = template.read_text()
        known = json.loads(text)
        assert set(re.findall(r"parameters\('(\w+)'\)", text)) == set(known["parameters"])
        assert set(re.findall(r"variables\('(\w+)'\)", text)) == set(known["variables"])
        types = {one["type"] for one in known["resources"]}
        waited = {
            kind
            for one in known["resources"]
            for text in one.get("dependsOn", ())
            for kind in re.findall(r"resourceId\('([\w./]+)'", text)
        }
        assert waited <= types


@pytest.mark.parametrize("side", ["plane", "site"])
def test_the_template_of_each_cloud_says_the_same_as_the_module(side: str) -> None:
    """Ports, health and the PROXY protocol of the templates and of Terraform do not go apart."""
    terraform = (CODE / "azure" / side / "main.tf").read_text() + (
        CODE / "aws" / side / "main.tf"
    ).read_text()
    for template in (CODE / "azure" / side / "azuredeploy.json", CODE / "aws" / side / "template.yaml"):
        for found in re.findall(r"/readyz|8443|8081|\b443\b", template.read_text()):
            assert found in terraform
