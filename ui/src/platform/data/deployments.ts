// What pages of a Deployment get, and what its phase means for them.
import type { DeploymentView } from "../../../generated/platform";

export type OfDeployment = { deployment: DeploymentView; done: () => void };

const WORKS = new Set(["running", "updating", "hibernating", "failed"]);

/** Whether its Airflow can be asked: it was made, and is neither asleep nor gone. */
export const answers = (deployment: DeploymentView) => deployment.observed_revision > 0 && WORKS.has(deployment.phase);

/** Phases of a Deployment that is deleted. */
export const GONE = new Set(["deleted", "purging", "purge_failed", "purged"]);
