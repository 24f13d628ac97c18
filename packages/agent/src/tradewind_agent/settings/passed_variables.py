"""Which environment variables of the agent its processes get, and which they never get."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

PASSED: Final = (
    *(
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "LC_*",
        "TZ",
        "TZDIR",
        "TMPDIR",
        "TERM",
        "HOSTNAME",
    ),
    *("XDG_*", "AIRFLOW_*", "AIRFLOW__*", "PYTHON*", "LD_LIBRARY_PATH", "LD_PRELOAD", "MALLOC_*"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy", "ftp_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "KRB5*"),
    *("GRPC_*", "NODE_EXTRA_CA_CERTS", "GIT_*", "PIP_*", "UV_*"),
    *("AWS_*", "AZURE_*", "IDENTITY_*", "MSI_*", "GOOGLE_*", "CLOUDSDK_*", "GCP_*", "OCI_*"),
    *("VAULT_*", "BAO_*", "KUBERNETES_*", "KUBECONFIG", "OPENLINEAGE_*", "OTEL_*"),
    *("JAVA_HOME", "JAVA_OPTS", "SPARK_*", "HADOOP_*", "DBT_*", "SNOWFLAKE_*", "DATABRICKS_*"),
    *("ORACLE_HOME", "TNS_ADMIN", "ODBC*", "PG*", "CUDA_*", "NVIDIA_*", "OMP_*", "OPENBLAS_*", "MKL_*"),
)
"""Names of the agent's own variables that its processes get: what programs need to run, Airflow's settings, proxies and authorities,
package indexes, the identities that clouds and vaults give a machine, and the settings of common tools."""

_PLANES_SECRETS: Final = (
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN*",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN*",
    "AIRFLOW__CORE__FERNET_KEY*",
    "AIRFLOW__API_AUTH__JWT_SECRET*",
    "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH*",
    "AIRFLOW__API__SECRET_KEY*",
    "AIRFLOW__WEBSERVER__SECRET_KEY*",
    "AIRFLOW__CELERY__*",
)


def is_planes_secret(name: str) -> bool:
    """True for a variable that opens the plane's database, its API or its encrypted fields."""
    return any(fnmatchcase(name.upper(), pattern) for pattern in _PLANES_SECRETS)
