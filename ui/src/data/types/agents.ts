import type { Attempt } from "./attempts";
import type { RefusedTry } from "./network";
import type { SentinelFinding } from "./sentinels";

export type AgentState =
  | "starting"
  | "healthy"
  | "degraded"
  | "draining"
  | "cordoned"
  | "unreachable"
  | "lost"
  | "offline";

export type Component = "worker" | "dag_processor" | "triggerer";

export type Environment = {
  name: string;
  queues: string[];
  slots: number;
  used: number;
  python: string;
  airflow: string;
  problem: string;
  starting: boolean;
  bundles: string[] | null;
};

export type Agent = {
  id: string;
  name: string;
  site: string;
  state: AgentState;
  state_reason: string;
  components: Component[];
  queues: string[];
  slots: number;
  slots_used: number;
  environments: Environment[];
  trigger_capacity: number;
  bundles: string[];
  policy: string;
  version: string;
  host: { hostname: string; platform: string; cpus: number; memory_bytes: number; pid: number };
  opened_at: string;
  last_beat_at: string | null;
  beat_age: number | null;
  ended_at: string | null;
  findings: { check: string; message: string; remedy: string }[];
  token: string;
  address: string;
  endpoint: string;
  way_since: string | null;
  last_refused: RefusedTry | null;
  pending_commands: number;
  running: Attempt[];
  sentinel: SentinelFinding[];
};
