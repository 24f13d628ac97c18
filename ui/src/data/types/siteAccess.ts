export type SiteAccess = "wait" | "read" | "start" | "write" | "consume";

export type SiteGrant = {
  id: string;
  site: string;
  other: string;
  access: SiteAccess;
  created_at: string;
  created_by: string;
};
