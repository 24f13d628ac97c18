"""What Python and libraries do when something is used for the first time, and remember: done once, before the fork.

A class remembers which classes are its own (`abc`), SQLAlchemy how a model is made, OpenSSL its ciphers, msgspec the fields of a
message. Each process of a task would find it out again, in memory that it has to copy first. Nothing of the owner's is used,
and what is made here is dropped at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger(__name__)


class FirstUses:
    name = "first_uses"

    def applies(self) -> str | None:
        return None

    def install(self) -> None:
        for use in USES:
            try:
                use()
            except Exception as problem:
                log.debug("Not used early", use=use.__name__, reason=f"{type(problem).__name__}: {problem}")


def make_a_dag() -> None:
    from airflow.sdk import DAG, task

    with DAG("first_uses", schedule=None, catchup=False):

        @task
        def plain(number: int = 0) -> int:
            return number

        first = plain()
        plain.override(task_id="second")() >> plain.override(task_id="third").expand(number=[1])
        first.operator.get_template_env()


def make_a_connection() -> None:
    from airflow.models import Connection
    from airflow.sdk import Connection as ConnectionOfTasks

    uri = Connection(conn_id="first_uses", conn_type="http", host="localhost").get_uri()
    ConnectionOfTasks.from_uri(uri, conn_id="first_uses").get_uri()


def encrypt() -> None:
    from cryptography.fernet import Fernet

    fernet = Fernet(Fernet.generate_key())
    fernet.decrypt(fernet.encrypt(b"first_uses"))


def read_messages() -> None:
    import msgspec
    from airflow.sdk.execution_time import comms

    msgspec.msgpack.Decoder(comms._ResponseFrame)
    comms.CommsDecoder[comms.ToTask, comms.ToSupervisor]


USES: Final[tuple[Callable[[], None], ...]] = (make_a_dag, make_a_connection, encrypt, read_messages)
