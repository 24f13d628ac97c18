"""Looks at code that was pushed for a Deployment, before anything of it is stopped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tradewind_platform.domain.deploys import HEADS
from tradewind_platform.drivers import new_code
from tradewind_platform.kubernetes import preflight
from tradewind_platform.kubernetes.helm import Release
from tradewind_platform.kubernetes.jobs import Jobs
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import image_of
from tradewind_platform.reconciler.driver import Document, StepFailed


class Code:
    """Changes nothing. A Job with the new image reads the database, so that its image is on a node, too."""

    def __init__(self, settings: KubernetesSettings, jobs: Jobs) -> None:
        self._settings = settings
        self._jobs = jobs

    def check(self, document: Document, release: Release) -> Mapping[str, Any]:
        """The newest migrations of the code, which the database has. Raises StepFailed unless the code can take the place of the
        present one, StepWaits while its Job runs."""
        image, wanted = image_of(document, self._settings), str(document.spec.get("version") or "")
        line = preflight.printed_by(
            self._jobs, document, release, self._settings, what="the Job of the new image"
        )
        found = json.loads(line)
        if wanted and found["version"] != wanted:
            raise StepFailed(
                f"the image {image.named} has Airflow {found['version']}, and not {wanted}", final=True
            )
        heads = found["heads"]
        if heads["code"] != 0:
            raise StepFailed(f"the new image does not read the database: {heads['error']}", final=True)
        try:
            last = (heads["printed"].strip().splitlines() or [""])[-1]
            return {HEADS: new_code.without_migration(last)}
        except ValueError as reason:
            raise StepFailed(str(reason), final=True) from None
