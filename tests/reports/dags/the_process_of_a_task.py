"""A task's process looks as under LocalExecutor: arguments, streams, limits, and Airflow's own variables of its context.

apache/airflow#56756: AIRFLOW_CTX_… were missing in callbacks.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"the_process_of_a_task": "success"}}


def airflow_context():
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith("AIRFLOW_CTX_")}


with DAG("the_process_of_a_task", schedule=None, default_args={"owner": "somebody"}):

    @task(
        on_success_callback=lambda context: witness.called("success", context, environment=airflow_context())
    )
    def looks():
        witness.saw("context", environment=airflow_context())
        witness.saw("streams", tty=sys.stdout.isatty())
        witness.saw("files", limit=resource.getrlimit(resource.RLIMIT_CORE)[1] != 0, nice=os.nice(0))
        witness.saw("path", python=shutil.which("python") is not None, dags=__file__)
        witness.saw(
            "encoding", out=sys.stdout.encoding, files=sys.getfilesystemencoding(), utf8=sys.flags.utf8_mode
        )
        witness.saw("name", main=__name__.startswith("unusual_prefix"), file=os.path.basename(__file__))
        witness.saw("no_database", url=os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"))

    looks()
    BashOperator(
        task_id="bash",
        bash_command="env | grep ^AIRFLOW_CTX_ | sort; echo $OWN; pwd | sed s,[^/]*$,,",
        env={"OWN": "{{ ds }}"},
        append_env=True,
    )
