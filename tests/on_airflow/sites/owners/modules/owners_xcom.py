"""An XCom backend of a site's owner: a file for each value, and its URL on the plane."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

from airflow.sdk.bases.xcom import BaseXCom


class OwnersXCom(BaseXCom):
    @staticmethod
    def serialize_value(value, *, key=None, task_id=None, dag_id=None, run_id=None, map_index=None):
        file = Path(os.environ["OWNERS_VALUES"]) / f"{uuid4()}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(BaseXCom.serialize_value(value)))
        return BaseXCom.serialize_value(file.as_uri())

    @staticmethod
    def deserialize_value(result):
        url = BaseXCom.deserialize_value(result)
        stored = json.loads(Path(url.removeprefix("file://")).read_text())
        return BaseXCom.deserialize_value(SimpleNamespace(value=stored))
