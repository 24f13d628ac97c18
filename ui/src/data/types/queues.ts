export type CanaryHop = "claim" | "start" | "log" | "finish";

export type Canary = {
  result: "ok" | "failed" | "busy" | "asleep" | "unknown";
  at: string;
  hop: CanaryHop | null;
  reason: string;
  remedy: string;
  rule: string;
  agent: string;
  seconds: Partial<Record<CanaryHop, number>>;
  ok_at: string | null;
  failures: number;
};

export type Queue = {
  site: string | null;
  queue: string;
  depth: number;
  oldest_wait: number;
  running: number;
  slots: number;
  slots_used: number;
  agents: string[];
  warning: string;
  canary: Canary | null;
};

export type Throughput = {
  since: string;
  until: string;
  step: number;
  queues: { site: string | null; queue: string; finished: number[]; failed: number[] }[];
};
