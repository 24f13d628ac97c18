export type SentinelFinding = {
  site: string;
  sentinel: string;
  check: string;
  subject: string;
  cause: string;
  evidence: string;
  remedy: string;
  since: string;
  count: number;
};

export type WatchedAgent = {
  name: string;
  group: string;
  state: string;
  ready: boolean;
  restarts: number;
  since: string | null;
};

export type WatchedGroup = {
  name: string;
  queues: string[];
  least: number | null;
  most: number | null;
  present: number;
  ready: number;
};

export type Sentinel = {
  name: string;
  site: string;
  lost: boolean;
  version: string;
  platform: string;
  scope: string;
  token: string;
  last_at: string;
  age: number;
  agents: WatchedAgent[];
  groups: WatchedGroup[];
  findings: SentinelFinding[];
};
