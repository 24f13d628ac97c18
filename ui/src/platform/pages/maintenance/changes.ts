import type { ChangeMaintenance, MaintenanceView } from "../../../../generated/platform";
import { useChange } from "../../data/useChange";

/** Changes a Deployment's maintenance, for what the person saw of it. */
export const useChanging = (path: string, found: MaintenanceView, fields: string[]) =>
  useChange<MaintenanceView, ChangeMaintenance>(`${path}/maintenance`, "PATCH", found, fields);
