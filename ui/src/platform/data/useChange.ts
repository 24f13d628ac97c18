// Changes of what has a revision, each for the revision that the person saw.
import { useState } from "react";

import { asRefused, type Refused } from "../../data/api";
import { isShownBy } from "./fieldErrors";
import { ifMatch, ofPlatform } from "./platform";

export type Changing<View, Ask> = {
  error: Refused | undefined; // about fields of the form
  newer: View | undefined; // what another person has saved meanwhile; the next try changes that
  save: (change: (seen: View) => Ask, reason: string) => Promise<View | undefined>;
};

/**
 * Saves a change of what the person saw when the form was opened.
 *
 * `save` returns what it is then; nothing when fields of the form are wrong, or when another person has saved a change
 * meanwhile. It throws Refused for any other cause.
 */
export function useChange<View extends { revision: number }, Ask>(
  path: string,
  method: "PATCH" | "PUT",
  found: View,
  fields: string[],
): Changing<View, Ask> {
  const [seen, setSeen] = useState(found);
  const [newer, setNewer] = useState<View>();
  const [error, setError] = useState<Refused>();
  const save: Changing<View, Ask>["save"] = async (change, reason) => {
    setError(undefined);
    setNewer(undefined);
    try {
      return await ofPlatform.call<View>(path, {
        method,
        body: change(seen),
        query: { reason: reason.trim() },
        headers: ifMatch(seen.revision),
      });
    } catch (problem) {
      const refused = asRefused(problem);
      if (refused.status === 412) {
        const now = await ofPlatform.call<View>(path);
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
