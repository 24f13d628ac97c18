"""The servers themselves: each starts, answers as the vendor's does, and ends."""

from __future__ import annotations

import httpx
import pytest

from support.cloud import azurite
from support.cloud.aws import Moto
from support.cloud.azurite import Azurite
from support.cloud.google_storage import GoogleStorage
from support.cloud.openbao import OpenBao
from support.cloud.server import Servers


def test_moto_answers_as_aws(servers: Servers) -> None:
    moto = servers.get(Moto)
    answer = httpx.get(f"{moto.url}/moto-api/data.json")
    assert answer.status_code == 200


def test_openbao_keeps_a_secret(servers: Servers) -> None:
    bao = servers.get(OpenBao)
    bao.put("of-a-test", value="kept")
    assert bao.ask("GET", "secret/data/of-a-test")["data"]["data"] == {"value": "kept"}


@pytest.mark.skipif(bool(azurite.available()), reason=azurite.available() or "it is there")
def test_azurite_refuses_a_request_without_a_signature(servers: Servers) -> None:
    answer = httpx.get(f"{servers.get(Azurite).url}/{azurite.ACCOUNT}?comp=list")
    assert answer.status_code == 403


def test_google_storage_makes_a_bucket(servers: Servers) -> None:
    url = servers.get(GoogleStorage).url
    made = httpx.post(f"{url}/storage/v1/b?project=a-project", json={"name": "a-bucket"})
    assert made.is_success, made.text
    assert [each["name"] for each in httpx.get(f"{url}/storage/v1/b?project=a").json()["items"]] == [
        "a-bucket"
    ]
