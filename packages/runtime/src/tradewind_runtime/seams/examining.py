"""Airflow's secrets backends, object storage and bundles, tried out as tasks and the dag processor use them."""

from __future__ import annotations

from uuid import uuid4

from airflow.sdk.configuration import conf

_NOBODY = "tradewind_doctor_asks_for_nothing"


def secrets_backends() -> str:
    """Ask each backend for a connection nobody has. Raises what a backend raises."""
    from airflow.sdk.configuration import ensure_secrets_loaded

    asked = []
    for backend in ensure_secrets_loaded():
        name = type(backend).__name__
        if name in ("MetastoreBackend", "ExecutionAPISecretsBackend"):
            continue
        try:
            backend.get_connection(_NOBODY)
        except NotImplementedError:
            backend.get_conn_value(_NOBODY)
        except Exception as error:
            raise (
                type(error)(f"{name}: {error}")
                if type(error) is RuntimeError
                else RuntimeError(f"{name}: {type(error).__name__}: {error}")
            ) from error
        asked.append(name)
    return f"asked and answered: {', '.join(asked)}" if asked else "none but the environment's variables"


def xcom_storage() -> str:
    """Write, read and delete an object where XCom values go. Raises what the storage raises."""
    backend = conf.get("core", "xcom_backend", fallback="")
    path = conf.get("common.io", "xcom_objectstorage_path", fallback="")
    if not path:
        return f"{backend or 'Airflow’s own backend'}: values are not kept at the site"
    from airflow.sdk import ObjectStoragePath

    folder = ObjectStoragePath(path)
    if folder.protocol in ("file", "local"):
        folder.mkdir(parents=True, exist_ok=True)
    thing = folder / f".tradewind-doctor-{uuid4().hex}"
    with thing.open("wb") as file:
        file.write(b"tradewind")
    try:
        with thing.open("rb") as file:
            if (found := file.read()) != b"tradewind":
                raise OSError(f"{thing} reads {len(found)} other bytes than were written")
    finally:
        thing.unlink()
    return f"wrote, read and deleted an object in {path}"


def bundle_names() -> list[str]:
    """The bundles this environment's configuration has."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    return sorted(DagBundlesManager()._bundle_config)


def bundle(name: str) -> str:
    """Fetch it as the dag processor does, and look for Dag files. Raises what the bundle raises."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    made = DagBundlesManager().get_bundle(name=name)
    made.initialize()
    if not made.path.is_dir():
        raise FileNotFoundError(f"{made.path} is not a directory")
    files = sum(1 for _ in made.path.rglob("*.py"))
    version = made.get_current_version() if made.supports_versioning else None
    return f"{made.path}: {files} Python files" + (f", version {version}" if version else "")
