import { Box, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Agent } from "../../data/types/agents";
import { bytes, count, moment, spaced } from "../../data/words";
import { Facts } from "../../parts/Facts";
import { Tags, When } from "../../parts/marks";

/** Where the agent runs, what it is, and how it is connected. */
export function AgentDetails({ agent }: { agent: Agent }) {
  const { host } = agent;
  const machine = [host.platform, host.cpus ? count(host.cpus, "CPU") : "", host.memory_bytes ? bytes(host.memory_bytes) : ""];
  const facts: [string, ReactNode][] = [
    ["Host", [host.hostname, host.pid ? `process ${host.pid}` : ""].filter(Boolean).join(", ") || "unknown"],
    ["Machine", machine.filter(Boolean).join(", ") || "unknown"],
    ["Components", <Tags names={agent.components.map(spaced)} />],
    ["Version", `Tradewind ${agent.version || "unknown"}`],
    ["Site", agent.site],
    ["Data policy", agent.policy],
    ["Trigger capacity", agent.components.includes("triggerer") ? String(agent.trigger_capacity) : "no triggerer"],
    ["Bundles", <Tags names={agent.bundles} />],
    ["Network", <Network agent={agent} />],
    ["Agent token", agent.token || "deleted"],
    ["Session opened", <span title={moment(agent.opened_at)}><When at={agent.opened_at} /></span>],
    ["Agent ID", agent.id],
  ];
  return (
    <Box borderWidth={1} borderRadius="md" p={3}>
      <Facts facts={facts} />
    </Box>
  );
}

/** By which way the agent comes and since when, and what was refused last of what came the same way. */
function Network({ agent }: { agent: Agent }) {
  const { last_refused: refused } = agent;
  return (
    <Box>
      {agent.endpoint ? `Private endpoint ${agent.endpoint}, from ${agent.address}` : `Public, from ${agent.address || "unknown"}`}
      {agent.way_since ? (
        <>
          , since <When at={agent.way_since} />
        </>
      ) : undefined}
      {refused ? (
        <Text color="fg.muted" fontSize="xs">
          Last refused from there <When at={refused.last_at} />: {refused.message}
        </Text>
      ) : undefined}
    </Box>
  );
}
