// Roles and permissions in words, and which of them the caller can give.
import { spaced } from "../../../data/words";
import type { Me, RoleView } from "../../../../generated/platform";
import { allows, type Target } from "../../data/permissions";

export type Level = "organization" | "workspace" | "deployment";

/** "deployment_admin" → "Deployment admin". The name of a custom role, which has no underscore, stays as it is. */
export const roleTitle = (role: string) => (role.includes("_") ? capital(spaced(role)) : role);

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

const GROUPS: [title: string, prefixes: string[]][] = [
  ["Organization", ["organization.", "clusters."]],
  ["People and access", ["members.", "apiTokens.", "audit."]],
  ["Workspaces", ["workspace."]],
  ["Deployments", ["deployment."]],
];

/** The permissions by the part of the product that they are about, in the order of the API. */
export function grouped(permissions: readonly string[]): { title: string; permissions: string[] }[] {
  const of = (permission: string) => GROUPS.findIndex(([, prefixes]) => prefixes.some((each) => permission.startsWith(each)));
  const known = GROUPS.map(([title], at) => ({ title, permissions: permissions.filter((each) => of(each) === at) }));
  const others = permissions.filter((each) => of(each) === -1);
  return [...known, { title: "Others", permissions: others }].filter((each) => each.permissions.length > 0);
}

/** Whether the role may be given there, as far as workspaces go. */
const holdsOn = (role: RoleView, scope: Target) =>
  role.workspaces === null || (scope.workspace !== undefined && role.workspaces.includes(scope.workspace));

/** Whether the caller has each permission of the role on the scope: it is refused to give what one does not have. */
export const hasAllOf = (me: Me, role: RoleView, scope: Target) =>
  holdsOn(role, scope) && role.permissions.every((each) => allows(me, each, scope));

/** What together has every Deployment that a role of these workspaces may be given on; no workspaces: of any. */
export const targetsOf = (workspaces: string[] | null): Target[] =>
  workspaces === null || workspaces.length === 0 ? [{}] : workspaces.map((workspace) => ({ workspace }));

/** Whether the caller can make such a role, or change it: it could give the role everywhere that it may be given. */
export const mayDefine = (me: Me, permissions: string[], workspaces: string[] | null) =>
  targetsOf(workspaces).every((target) => ["members.update", ...permissions].every((each) => allows(me, each, target)));

/** Whether the caller can give the role there to another person. */
export const mayGive = (me: Me, role: RoleView, scope: Target) => allows(me, "members.update", scope) && hasAllOf(me, role, scope);
