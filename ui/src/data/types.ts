// What the operator API answers. The fields are described in tradewind_protocol.operator.

export type Page<Item> = { items: Item[]; total: number; limit: number; offset: number };

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

export type Attempt = {
  id: string;
  kind: string;
  label: string;
  dag_id: string | null;
  run_id: string | null;
  task_id: string | null;
  map_index: number;
  try_number: number | null;
  site: string | null;
  bundle: string | null;
  queue: string;
  priority: number;
  state: "queued" | "offered" | "running" | "finished" | "revoked";
  agent_id: string | null;
  agent_name: string;
  created_at: string;
  granted_at: string | null;
  finished_at: string | null;
  waited: number;
  process: "exited" | "killed" | "stopped" | "broken" | "lost" | null;
  exit_code: number | null;
  signal: string | null;
  task_state: string | null;
  reason: string;
  waits_for: string;
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

export type TokenKind = "agent" | "scaler" | "sentinel";

export type Token = {
  id: string;
  name: string;
  site: string;
  kind: TokenKind;
  description: string;
  prefix: string;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  rotated_at: string | null;
  old_values_until: string | null;
};

export type TokenCreated = Token & { token: string };

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

/** What somebody fills in on the page Register; checked by the plane while they type. */
export type AskRecipes = {
  plane_url: string;
  name: string;
  components: string[];
  queues: string[];
  slots: number;
  bundle: {
    kind: string;
    name: string;
    repository: string;
    reference: string;
    folder: string;
    connection: string;
  };
  site: string;
  storage: string;
  secrets: { kind: string; place: string; role: string };
  logs: { url: string; connection: string; container: string };
  image: string;
  packages: string;
};

export type Recipe = { key: string; title: string; steps: { explained: string; what: string; text: string }[] };

export type Recipes = { recipes: Recipe[]; problems: { field: string; message: string }[] };

export type SiteAccess = "wait" | "read" | "start" | "write" | "consume";

export type SiteGrant = {
  id: string;
  site: string;
  other: string;
  access: SiteAccess;
  created_at: string;
  created_by: string;
};

export type AllowedNetwork = { network: string; description: string };

export type AllowedEndpoint = { endpoint: string; name: string };

export type RefusedTry = {
  source: string;
  endpoint: string;
  code: string;
  message: string;
  remedy: string;
  path: string;
  version: string;
  tries: number;
  first_at: string;
  last_at: string;
};

export type Connectivity = {
  source: string;
  endpoint: string;
  admitted: boolean | null;
  why: string;
  agents: string[];
  refused: RefusedTry[];
  verdict: string;
  remedy: string;
};

export type AllowedAddresses = {
  networks: AllowedNetwork[];
  endpoints: AllowedEndpoint[];
  private_only: boolean;
  revision: number;
  changed_at: string | null;
  changed_by: string;
  your_address: string;
  locked_out: string[];
  warnings: string[];
};
