export type Event = {
  id: string;
  at: string;
  action: string;
  actor: string;
  subject: string;
  reason: string;
  address: string;
  detail: Record<string, unknown>;
};
