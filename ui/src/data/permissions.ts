// What the person may do in a Deployment, as the operator API says it.

export type Permission = "read" | "operate" | "administer" | "audit";

/** What a custom role of a platform may allow by itself, and the permission that it is a part of. */
const PARTS = {
  "deployment.agents.update": "operate",
  "deployment.agentTokens.get": "operate",
  "deployment.agentTokens.create": "administer",
  "deployment.agentTokens.update": "administer",
  "deployment.agentTokens.delete": "administer",
  "deployment.allowList.get": "operate",
  "deployment.allowList.update": "administer",
  "deployment.sites.get": "operate",
  "deployment.sites.update": "administer",
} as const;

export type Part = keyof typeof PARTS;

/** Whether the person may do that here: it is named, or all of the permission that it is a part of is. */
export const mayHere = (me: Me, what: Permission | Part) =>
  me.may.includes(what) || (what in PARTS && me.may.includes(PARTS[what as Part]));

export type Me = { name: string; may: string[]; deployment: string; version: string; policy: string };
