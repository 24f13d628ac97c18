// What the panels of maintenance share.
import { ago, moment } from "../../../data/words";
import type { MaintenanceView } from "../../../../generated/platform";
import { answers, type OfDeployment } from "../../data/deployments";

export type OfMaintenance = {
  deployment: OfDeployment["deployment"];
  found: MaintenanceView;
  path: string; // of the Deployment, in the API
  mayChange: boolean;
  done: (saved?: MaintenanceView) => void;
};

/** Whether an operation of its database can begin now. */
export const isFree = (deployment: OfDeployment["deployment"]) => deployment.operation === null && answers(deployment);

/** Whether one is open, and when the next one opens. */
export const opens = ({ is_open, opens_at }: MaintenanceView) =>
  is_open ? "A window is open now." : `No window is open.${opens_at ? ` The next one opens ${ago(opens_at)} (${moment(opens_at)}).` : ""}`;
