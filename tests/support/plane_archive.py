"""Archives of planes, as `tradewind project deploy` sends them, without a project."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

from tradewind_protocol import plane_archives

PYTHON = "{}.{}".format(*sys.version_info[:2])


def made(text: str = "", *, airflow: str = "3.3.2", python: str = PYTHON) -> tuple[str, bytes]:
    """The digest and the bytes of an archive with one plugin of that text."""
    line = "{0}=={1} \\\n    --hash=sha256:" + "a" * 64 + "\n"
    lock = line.format("apache-airflow-core", airflow) + line.format("tradewind-provider", "0.1.0")
    target = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lock").write_text(lock)
        (Path(folder) / "plugin.py").write_text(text)
        files = {"requirements.lock": Path(folder) / "lock", "plugins/plugin.py": Path(folder) / "plugin.py"}
        plane_archives.write(files, plane_archives.description(python), target)
    target.seek(0)
    return plane_archives.check(target).digest, target.getvalue()
