"""What programs write is in the log: inherited output, bytes that are no UTF-8, lines without an end, long lines.

apache/airflow#14813, apache/airflow#23540: the output of forked programs was lost.
"""

from __future__ import annotations

import os
import subprocess
import sys

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"output_of_programs": "failed"},
    "lines": {
        "output_of_programs/programs": [
            "inherited",
            "through os.system",
            "of a grandchild",
            "after bad bytes",
        ],
        "output_of_programs/bash": ["from bash", "to standard error"],
    },
}

with DAG("output_of_programs", schedule=None):

    @task
    def programs():
        subprocess.run(["echo", "inherited"], check=True)
        os.system("echo through os.system")
        subprocess.run("(echo of a grandchild) & wait", shell=True, check=True)
        subprocess.run([sys.executable, "-c", "import sys; sys.stderr.write('child stderr\\n')"], check=True)
        subprocess.run(["printf", r"bad \377\376 bytes\nafter bad bytes\n"], check=True)
        subprocess.run(["printf", "no end of line"], check=True)
        print()
        sys.stdout.buffer.write(b"raw \xff bytes\n")
        sys.stdout.flush()
        print("x" * 70_000)
        return subprocess.run(["sh", "-c", "exit 3"]).returncode

    BashOperator(
        task_id="bash",
        bash_command="echo from bash; echo to standard error >&2; printf '\\xe4\\n'",
        do_xcom_push=True,
    )
    BashOperator(task_id="latin", bash_command="printf '\\xe4\\xf6\\n'", output_encoding="latin-1")
    BashOperator(task_id="fails", bash_command="echo before; exit 7")
    BashOperator(task_id="skips", bash_command="exit 99")
    programs()
