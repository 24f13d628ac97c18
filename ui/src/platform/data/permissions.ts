import { createContext, useContext } from "react";

import type { Me } from "../../../generated/platform";

/** What a permission is asked for: nothing is the organization, a workspace is meant with its id. */
export type Target = { workspace?: string; deployment?: string };

/** Whether one of the caller's roles allows it there. The API decides; pages only hide what it would refuse. */
export function allows(me: Me, permission: string, target: Target = {}): boolean {
  return me.grants.some((grant) => {
    const holds =
      grant.deployment !== null
        ? grant.deployment === target.deployment
        : grant.workspace === null || grant.workspace === target.workspace;
    return holds && grant.permissions.includes(permission);
  });
}

/** Whether one of the caller's roles allows it anywhere. */
export const allowsSomewhere = (me: Me, permission: string) =>
  me.grants.some((grant) => grant.permissions.includes(permission));

export const MeContext = createContext<Me | undefined>(undefined);

export function useMe(): Me {
  const me = useContext(MeContext);
  if (me === undefined) {
    throw new Error("outside of the signed-in pages");
  }
  return me;
}
