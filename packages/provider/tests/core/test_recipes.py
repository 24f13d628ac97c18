"""The commands that start an agent: what was filled in is data in them, and what cannot work is said by its field."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from support import pages
from tradewind_provider.domain import recipes
from tradewind_provider.domain.recipes import Bundle, Logs, Recipe, RecipeRequest, Secrets, Versions

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

VERSIONS = Versions(tradewind="0.1.0", airflow="3.3.2", python="3.12")
GIT = Bundle(repository="https://git.example.com/team/dags.git")
LEAST = RecipeRequest(
    plane_url="https://airflow.example.com/eu",
    name="frankfurt-1",
    bundle=GIT,
    image="registry.example.com/etl:7",
)


def by_key(wanted: RecipeRequest) -> dict[str, Recipe]:
    assert recipes.problems(wanted) == ()
    return {one.key: one for one in recipes.recipes(wanted, VERSIONS)}


def step(recipe: Recipe, what: str) -> str:
    return next(one.text for one in recipe.steps if one.what == what)


def in_bash(script: str, directory: Path) -> None:
    subprocess.run(["bash", "-euc", script], cwd=directory, check=True, timeout=30)


NASTY = '/srv/it\'s $(touch pwned) `touch pwned` "x" \\ ü && touch pwned'


@pytest.mark.parametrize(
    "bundle",
    [
        GIT,
        replace(
            GIT,
            name=NASTY,
            reference="release/2026'$(touch${IFS}pwned)",
            folder='a b/"c"`touch pwned`',
            connection="dags_repo",
        ),
        replace(GIT, repository="git@git.example.com:team/$(touch${IFS}pwned).git"),
        Bundle(kind="folder", folder=NASTY),
    ],
)
def test_the_settings_file_that_a_shell_writes_says_what_was_filled_in(
    bundle: Bundle, tmp_path: Path
) -> None:
    wanted = replace(
        LEAST, bundle=bundle, storage=NASTY.replace("srv", "mnt"), queues=("default", "gpu:a100")
    )
    in_bash(step(by_key(wanted)["host"], "settings file"), tmp_path)
    read = tomllib.loads((tmp_path / "agent.toml").read_text())
    assert read == {
        "plane_url": "https://airflow.example.com/eu",
        "name": "frankfurt-1",
        "queues": ["default", "gpu:a100"],
        "slots": 20,
        "storage": wanted.storage,
        "token_file": "~/tradewind/frankfurt-1/agent-token",
        "state_dir": "~/tradewind/frankfurt-1/state",
        "metrics_port": 0,
        "bundles": [{"name": bundle.name, "classpath": bundle.classpath, "kwargs": bundle.kwargs}],
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == ["agent.toml"]


def test_values_of_the_chart_that_a_shell_writes_say_what_was_filled_in(tmp_path: Path) -> None:
    wanted = replace(
        LEAST,
        bundle=Bundle(kind="folder", name=NASTY, folder=NASTY),
        storage="/mnt/shared",
        components=("worker", "dag_processor"),
    )
    in_bash(step(by_key(wanted)["helm"], "values file"), tmp_path)
    assert yaml.safe_load((tmp_path / "values.yaml").read_text()) == {
        "planeUrl": "https://airflow.example.com/eu",
        "token": {"existingSecret": "frankfurt-1-token"},
        "image": {"repository": "registry.example.com/etl", "tag": "7"},
        "storage": "/mnt/shared",
        "standalone": {
            "enabled": True,
            "settings": {"name": "frankfurt-1"},
            "components": ["worker", "dag_processor"],
            "queues": ["default"],
            "slots": 20,
            "volumes": [
                {"name": "dags", "persistentVolumeClaim": {"claimName": "frankfurt-1-dags"}},
                {"name": "storage", "persistentVolumeClaim": {"claimName": "frankfurt-1-storage"}},
            ],
            "volumeMounts": [
                {"name": "dags", "mountPath": NASTY, "readOnly": True},
                {"name": "storage", "mountPath": "/mnt/shared", "readOnly": False},
            ],
        },
        "bundles": [
            {
                "name": NASTY,
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": NASTY},
            }
        ],
    }


def test_an_images_port_is_no_tag_and_a_digest_is_kept() -> None:
    wanted = replace(LEAST, image="registry:5000/etl@sha256:" + "a" * 64)
    values = step(by_key(wanted)["helm"], "values file")
    assert 'repository: "registry:5000/etl"' in values
    assert f'digest: "sha256:{"a" * 64}"' in values
    assert "tag:" not in values


def test_the_container_gets_the_folders_that_its_settings_name(tmp_path: Path) -> None:
    wanted = replace(LEAST, bundle=Bundle(kind="folder", folder=NASTY), storage="/mnt/shared")
    words = shlex.split(step(by_key(wanted)["container"], "start command").replace("\\\n", ""))
    volumes = [words[at + 1] for at, word in enumerate(words) if word == "--volume"]
    assert volumes[-2:] == [f"{NASTY}:{NASTY}:ro", "/mnt/shared:/mnt/shared"]
    assert any(one.endswith("/site.key:/run/secrets/site.key:ro") for one in volumes), (
        "tasks write to the folder"
    )


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._@:/-]{0,60}", fullmatch=True)
bundles = st.one_of(
    st.builds(
        Bundle,
        kind=st.just("git"),
        name=names,
        repository=texts.map(lambda x: f"https://git/{x}"),
        reference=st.one_of(names, texts),
        folder=texts,
        connection=names,
    ),
    st.builds(Bundle, kind=st.just("folder"), name=names, folder=texts.map(lambda x: f"/{x}")),
)
agents = st.builds(
    RecipeRequest,
    plane_url=texts.map(lambda x: f"https://airflow.example.com/{x}"),
    name=names,
    queues=st.lists(names, min_size=1, max_size=3).map(tuple),
    bundle=bundles,
    storage=st.one_of(st.just(""), texts.map(lambda x: f"/{x}"), texts.map(lambda x: f"s3://bucket/{x}")),
    packages=st.one_of(st.just(""), texts.map(lambda x: f"/{x}")),
    secrets=st.builds(
        Secrets, kind=st.just("vault-approle"), place=texts.map(lambda x: f"https://{x}"), role=texts
    ),
    logs=st.builds(Logs, url=texts.map(lambda x: f"s3://bucket/{x}"), connection=names),
    image=st.from_regex(r"[a-z][a-z0-9./:-]{0,30}", fullmatch=True),
)


@given(agents)
@hypothesis_settings(max_examples=60, deadline=None)
def test_whatever_passes_the_checks_is_a_recipe_of_valid_shell_and_yaml(wanted: RecipeRequest) -> None:
    if recipes.problems(wanted):
        return
    found = by_key(wanted)
    everything = "\n".join(one.text for recipe in found.values() for one in recipe.steps)
    subprocess.run(["bash", "-n"], input=everything, text=True, check=True, timeout=30)
    for key, what in (("helm", "values file"), ("kubernetes", "manifest")):
        text = step(found[key], what).split("\n", 1)[1].rpartition("\n")[0]
        documents = list(yaml.safe_load_all(text))
        assert all(isinstance(one, dict) for one in documents)
        assert json.dumps(documents)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "missing"),
        ({"name": "oslo's 2"}, "name", "letters, digits"),
        ({"name": "ü"}, "name", "letters, digits"),
        ({"plane_url": "airflow.example.com"}, "plane_url", "not the address of a plane"),
        ({"plane_url": "https://user:pw@airflow.example.com"}, "plane_url", "no user, password"),
        ({"plane_url": "https://[::1"}, "plane_url", "not the address of a plane"),
        ({"site": ""}, "site", "missing"),
        ({"site": "a b"}, "site", "letters, digits"),
        ({"components": ()}, "components", "at least one"),
        ({"components": ("cook",)}, "components", "none of"),
        ({"queues": ()}, "queues", "at least one queue"),
        ({"queues": ("a b",)}, "queues", "queue 'a b'"),
        ({"slots": 0}, "slots", "1 to 10000"),
        ({"image": "x y"}, "image", "not the name of an image"),
        ({"image": ""}, "image", "not the name of an image"),
        ({"storage": "shared"}, "storage", "a bucket"),
        ({"storage": "s3://"}, "storage", "a bucket"),
        ({"storage": "/mnt/a:b"}, "storage", "neither : nor .."),
        ({"secrets": Secrets("keepass")}, "secrets.kind", "none of"),
        ({"secrets": Secrets("aws-secrets-manager")}, "secrets.place", "the region"),
        ({"secrets": Secrets("azure-key-vault", "http://x")}, "secrets.place", "the vault's address"),
        ({"secrets": Secrets("vault-approle", "https://u:p@v", "r")}, "secrets.place", "Vault's address"),
        ({"secrets": Secrets("vault-approle", "https://v")}, "secrets.role", "the role"),
        ({"logs": Logs("/logs")}, "logs.url", "a folder of a bucket"),
        ({"logs": Logs("s3://bucket", "a b")}, "logs.connection", "id of a connection"),
        ({"logs": Logs("wasb://logs")}, "logs.container", "the container"),
        ({"bundle": Bundle(kind="none")}, "bundle.kind", "say where the Dags are"),
        ({"bundle": Bundle(kind="svn")}, "bundle.kind", "none of"),
        ({"bundle": Bundle()}, "bundle.repository", "missing"),
        ({"bundle": replace(GIT, name="")}, "bundle.name", "missing"),
        ({"bundle": replace(GIT, name="a\nb")}, "bundle.name", "one line"),
        ({"bundle": replace(GIT, name="a" * 251)}, "bundle.name", "at most 250"),
        ({"bundle": replace(GIT, repository="--upload-pack=x")}, "bundle.repository", "not the address"),
        (
            {"bundle": replace(GIT, repository="https://u:pw@git/x")},
            "bundle.repository",
            "a connection of the site",
        ),
        (
            {"bundle": replace(GIT, repository="https://token@git/x")},
            "bundle.repository",
            "a connection of the site",
        ),
        ({"bundle": replace(GIT, reference="")}, "bundle.reference", "branch or a tag"),
        ({"bundle": replace(GIT, reference="a..b")}, "bundle.reference", "not the name of a branch"),
        ({"bundle": replace(GIT, folder="../x")}, "bundle.folder", "stays inside"),
        ({"bundle": replace(GIT, connection="a b")}, "bundle.connection", "id of a connection"),
        ({"bundle": Bundle(kind="folder", folder="dags")}, "bundle.folder", "whole path"),
        ({"packages": "dist"}, "packages", "whole path"),
        ({"bundle": Bundle(kind="folder", folder="/a\nb")}, "bundle.folder", "whole path"),
    ],
)
def test_what_cannot_work_is_said_by_its_field(change: dict[str, object], field: str, words: str) -> None:
    (problem,) = recipes.problems(replace(LEAST, **change))  # type: ignore[arg-type]
    assert problem.field == field
    assert words in problem.message


def test_an_agent_for_triggers_alone_needs_no_bundle() -> None:
    wanted = replace(LEAST, components=("triggerer",), bundle=Bundle(kind="none"))
    assert "bundles" not in step(by_key(wanted)["host"], "settings file")
    assert "[git]" not in step(by_key(wanted)["host"], "install command")


@pytest.mark.parametrize(
    ("storage", "package"),
    [
        ("s3://site@bucket/xcom", "'tradewind-runtime[amazon,git]==0.1.0'"),
        ("gs://bucket", "'tradewind-runtime[google,git]==0.1.0'"),
        ("abfs://container@account/x", "'tradewind-runtime[azure,git]==0.1.0'"),
        ("", "'tradewind-runtime[git]==0.1.0'"),
    ],
)
def test_what_the_shared_storage_needs_is_installed(storage: str, package: str) -> None:
    found = by_key(replace(LEAST, storage=storage))
    assert package in step(found["host"], "install command")
    assert package in step(found["container"], "Dockerfile")


SERVICES = {
    "aws-secrets-manager": ("site-on-aws.md", 0, "eu-west-1", ""),
    "aws-parameter-store": ("site-on-aws.md", 1, "eu-west-1", ""),
    "azure-key-vault": ("site-on-azure.md", 0, "https://tradewind.vault.azure.net/", ""),
    "google-secret-manager": ("site-on-google-cloud.md", 0, "my-project", ""),
    "vault-kubernetes": ("secrets-in-vault.md", 0, "https://vault.example.com", "airflow-site"),
    "vault-approle": ("secrets-in-vault.md", 1, "https://vault.example.com", "airflow-site"),
}
"""Where the pages have the settings of each backend, which tests run word for word."""


@pytest.mark.parametrize("kind", SERVICES)
def test_a_secrets_backend_is_set_up_as_its_page_says(kind: str, tmp_path: Path) -> None:
    page, block, place, role = SERVICES[kind]
    expected = pages.environment(page, block)
    arguments = json.loads(expected["AIRFLOW__SECRETS__BACKEND_KWARGS"])
    found = by_key(replace(LEAST, secrets=Secrets(kind, place, role)))
    in_bash(step(found["host"], "settings file"), tmp_path)
    [environment] = tomllib.loads((tmp_path / "agent.toml").read_text())["environments"]
    assert {key: environment[key] for key in ("name", "queues", "slots")} == {
        "name": "default",
        "queues": ["default"],
        "slots": 20,
    }
    assert environment["env"]["AIRFLOW__SECRETS__BACKEND"] == expected["AIRFLOW__SECRETS__BACKEND"]
    assert json.loads(environment["env"]["AIRFLOW__SECRETS__BACKEND_KWARGS"]) == arguments
    in_bash(step(found["helm"], "values file"), tmp_path)
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert values["secretsBackend"] == {"class": expected["AIRFLOW__SECRETS__BACKEND"], "kwargs": arguments}
    extra = {"aws": "amazon", "azure": "azure", "google": "google", "vault": "hashicorp"}[
        kind.partition("-")[0]
    ]
    assert f"[{extra},git]" in step(found["container"], "Dockerfile")


def test_a_pod_has_the_token_that_vault_takes_as_the_page_says(tmp_path: Path) -> None:
    [block] = pages.blocks("secrets-in-vault.md", "yaml")
    expected = yaml.safe_load(block)
    found = by_key(
        replace(LEAST, secrets=Secrets("vault-kubernetes", "https://vault.example.com", "airflow-site"))
    )
    in_bash(step(found["helm"], "values file"), tmp_path)
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    assert values["secretsBackend"] == expected["secretsBackend"]
    pod = expected["podDefaults"]
    assert {key: values["standalone"][key] for key in pod} == pod
    manifest = "\n".join(step(found["kubernetes"], "manifest").splitlines()[1:-1])
    objects = {each["kind"]: each for each in yaml.safe_load_all(manifest)}
    assert objects["ServiceAccount"]["metadata"]["name"] == "airflow-site"
    spec = objects["StatefulSet"]["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "airflow-site"
    assert all(each in spec["volumes"] for each in pod["volumes"])
    assert all(each in spec["containers"][0]["volumeMounts"] for each in pod["volumeMounts"])


@pytest.mark.parametrize(
    ("page", "block", "logs"),
    [
        ("site-on-aws.md", 2, Logs("s3://my-site/logs", "site_store")),
        ("site-on-azure.md", 1, Logs("wasb://logs", "site_store", "site")),
        ("site-on-google-cloud.md", 1, Logs("gs://my-site/logs")),
    ],
)
def test_task_logs_go_to_a_store_as_its_page_says(page: str, block: int, logs: Logs, tmp_path: Path) -> None:
    found = by_key(replace(LEAST, logs=logs))
    in_bash(
        step(found["systemd"], "settings file")
        .replace("sudo install -o root -g tradewind -m 640", "install")
        .replace("/etc/tradewind/", ""),
        tmp_path,
    )
    read = tomllib.loads((tmp_path / "agent.toml").read_text())
    [environment] = read["environments"]
    assert environment["env"].items() <= pages.environment(page, block).items()
    assert environment["interpreter"] == "/opt/airflow/bin/python" and "interpreter" not in read
    in_bash(step(found["helm"], "values file"), tmp_path)
    values = yaml.safe_load((tmp_path / "values.yaml").read_text())
    said = {"remote": logs.url, "connection": logs.connection, "container": logs.container}
    assert values["logs"] == {key: value for key, value in said.items() if value}


def test_packages_come_from_a_folder_where_one_is_named(tmp_path: Path) -> None:
    (folder := tmp_path / "it's $(touch pwned)").mkdir()
    (folder / "constraints.txt").touch()
    found = by_key(replace(LEAST, packages=str(folder)))
    options = ["--find-links", str(folder), "--constraint", f"{folder}/constraints.txt"]
    for key in ("host", "systemd"):
        commands = [shlex.split(one) for one in step(found[key], "install command").splitlines()]
        installs = [one[one.index("install") + 1 :] for one in commands if "install" in one]
        assert installs and all(one[:4] == options for one in installs)
        assert not any("apache-airflow-core" in package for one in installs for package in one)
    in_bash(step(found["container"], "copy command"), tmp_path)
    assert (tmp_path / "dist" / "constraints.txt").exists()
    copied, run = step(found["container"], "Dockerfile").splitlines()[-7:-5]
    assert copied == "COPY dist /opt/tradewind/dist"
    assert "--find-links /opt/tradewind/dist --constraint /opt/tradewind/dist/constraints.txt" in run
    command = shlex.split(step(found["helm"], "install command"))
    assert f"{folder}/charts/tradewind-agent-0.1.0.tgz" in command
    assert not (tmp_path / "pwned").exists()


def test_no_recipe_has_a_token_in_its_text() -> None:
    for recipe in by_key(LEAST).values():
        assert "tw_agent_" not in "".join(one.text for one in recipe.steps)


def test_agents_that_share_a_bucket_are_given_one_key_and_those_of_a_folder_have_it_there(
    tmp_path: Path,
) -> None:
    shared = by_key(replace(LEAST, storage="s3://site@bucket/xcom"))
    for recipe in shared.values():
        text = "".join(one.text for one in recipe.steps)
        assert "openssl rand -hex 32" in text, recipe.key
        assert ("siteKey:" if recipe.key == "helm" else "site_key_file") in text, recipe.key
    in_bash(step(shared["host"], "site key command"), tmp_path)
    made = (tmp_path / "site.key").read_text()
    assert len(made) >= 32 and (tmp_path / "site.key").stat().st_mode & 0o777 == 0o600
    in_bash(step(shared["host"], "site key command"), tmp_path)
    assert (tmp_path / "site.key").read_text() == made
    values = yaml.safe_load(step(shared["helm"], "values file").split("\n", 1)[1].rpartition("\n")[0])
    assert values["siteKey"] == {"existingSecret": "tradewind-site-key"}
    assert values["storage"] == "s3://site@bucket/xcom"
    for recipe in by_key(replace(LEAST, storage="/mnt/shared")).values():
        has_key = "site_key" in "".join(one.text for one in recipe.steps)
        assert has_key == (recipe.key in ("systemd", "container")), (
            "where tasks are another user, they write to the folder"
        )
