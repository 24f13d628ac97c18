"""Templates at a site: what Dags use works, and what leads out of the sandbox does not."""

from __future__ import annotations

import json

import pytest

from support import prepared_hosts

pytestmark = pytest.mark.process

RENDER = """
import json, sys
from jinja2 import StrictUndefined  # as a Dag has
from airflow.sdk.definitions._internal.templater import SandboxedEnvironment
from airflow.sdk.execution_time.context import MacrosAccessor
from tradewind_runtime.airflow import templates

class Thing:
    _private = "private"
    public = "public"

templates.restrict()
templates.restrict()
said = []
for text in json.loads(sys.argv[1]):
    try:
        told = {"_key": "key"}
        said.append(SandboxedEnvironment(undefined=StrictUndefined).from_string(text).render(macros=MacrosAccessor(), thing=Thing(), told=told))
    except Exception as error:
        said.append(type(error).__name__)
print(json.dumps(said))
"""
USED = {
    "{{ thing.public }}": "public",
    "{{ told._key }} {{ told['_key'] }}": "key key",  # a key of a dictionary is no attribute
    "{{ macros.ds_add('2026-01-01', 1) }}": "2026-01-02",
    "{{ macros.datetime(2026, 1, 1).year }}": "2026",
    "{{ macros.json.dumps([1]) }}": "[1]",
    "{{ macros.dateutil.parser.parse('2026-01-02').day }}": "2",
}
LEADS_OUT = (
    "{{ thing._private }}",
    "{{ thing|attr('_private') }}",
    "{{ macros.json.codecs.builtins }}",
    "{{ macros.json.decoder.scanner.re.enum.sys.modules }}",
    "{{ macros.json._default_encoder }}",
    "{{ macros.dateutil.parser._parser.os.environ }}",
)


def rendered(texts: list[str], **variables: str) -> list[str]:
    done = prepared_hosts.run(RENDER, json.dumps(texts), **variables)
    assert done.returncode == 0, done.stderr
    said: list[str] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_what_dags_use_works_and_what_leads_out_is_refused() -> None:
    said = dict(zip((*USED, *LEADS_OUT), rendered([*USED, *LEADS_OUT]), strict=True))
    assert {text: said[text] for text in USED} == USED
    assert {said[text] for text in LEADS_OUT} == {"SecurityError"}, said


def test_a_site_can_leave_airflows_sandbox_as_it_is() -> None:
    allowed = {"AIRFLOW__TRADEWIND__PRIVATE_TEMPLATE_NAMES": "True"}
    assert rendered(["{{ thing._private }}"], **allowed) == ["private"]
