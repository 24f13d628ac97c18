import type { Me } from "../../../../generated/platform";
import { allows, allowsSomewhere } from "../../data/permissions";

export type Section = { path: string; name: string; shown: (me: Me) => boolean };

/** The pages of the organization, in the order of the list beside them. */
export const SECTIONS: Section[] = [
  { path: "workspaces", name: "Workspaces", shown: () => true },
  { path: "clusters", name: "Clusters", shown: (me) => allows(me, "clusters.get") },
  { path: "users", name: "Users", shown: (me) => allows(me, "members.get") },
  { path: "teams", name: "Teams", shown: (me) => allows(me, "members.get") },
  { path: "invites", name: "Invites", shown: (me) => allowsSomewhere(me, "members.get") },
  { path: "roles", name: "Roles", shown: () => true },
  { path: "authentication", name: "Authentication", shown: (me) => allows(me, "organization.get") },
  { path: "api-tokens", name: "API tokens", shown: () => true },
  { path: "audit", name: "Audit", shown: (me) => allowsSomewhere(me, "audit.get") },
];
