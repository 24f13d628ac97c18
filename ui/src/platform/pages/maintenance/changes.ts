// Changes of a Deployment's maintenance, each for the revision that the person saw.
import { useState } from "react";

import { asRefused, type Refused } from "../../../data/api";
import type { ChangeMaintenance, MaintenanceView } from "../../../../generated/platform";
import { isShownBy } from "../../data/fieldErrors";
import { ifMatch, ofPlatform } from "../../data/platform";

export type Changing = {
  error: Refused | undefined; // about fields of the form
  newer: MaintenanceView | undefined; // what somebody else has saved meanwhile; the next try changes that
  save: (change: (seen: MaintenanceView) => ChangeMaintenance, reason: string) => Promise<MaintenanceView | undefined>;
};

/**
 * Saves a change of what the person saw when the form was opened.
 *
 * `save` returns what it is then; nothing when fields of the form are wrong, or when somebody has saved another change
 * meanwhile. It throws Refused for any other cause.
 */
export function useChanging(path: string, found: MaintenanceView, fields: string[]): Changing {
  const [seen, setSeen] = useState(found);
  const [newer, setNewer] = useState<MaintenanceView>();
  const [error, setError] = useState<Refused>();
  const save: Changing["save"] = async (change, reason) => {
    setError(undefined);
    setNewer(undefined);
    try {
      return await ofPlatform.call<MaintenanceView>(`${path}/maintenance`, {
        method: "PATCH",
        body: change(seen),
        query: { reason: reason.trim() },
        headers: ifMatch(seen.revision),
      });
    } catch (problem) {
      const refused = asRefused(problem);
      if (refused.status === 412) {
        const now = await ofPlatform.call<MaintenanceView>(`${path}/maintenance`);
        setSeen(now);
        setNewer(now);
        return undefined;
      }
      if (isShownBy(refused, fields)) {
        setError(refused);
        return undefined;
      }
      throw refused;
    }
  };
  return { error, newer, save };
}
