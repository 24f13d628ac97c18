import { SimpleGrid } from "@chakra-ui/react";
import { useState } from "react";
import { useParams } from "react-router-dom";

import type { Agent } from "../../data/types/agents";
import { usePolled } from "../../data/usePolled";
import { Findings, SentinelFindings } from "../../parts/agents";
import { ReasonDialog, type Action } from "../../parts/dialogs";
import { Shown } from "../../parts/states";
import { AgentDetails } from "./AgentDetails";
import { AgentEvents } from "./AgentEvents";
import { AgentTop } from "./AgentTop";
import { RecentAttempts, RunningAttempts } from "./attempts";
import { Part } from "./Part";
import { TaskEnvironments } from "./TaskEnvironments";

/** One agent: how it is and why, what runs on it, what it did lately, and what can be asked of it. */
export function AgentPage() {
  const { agentId = "" } = useParams();
  const polled = usePolled<Agent>(`/agents/${encodeURIComponent(agentId)}`, 2);
  const [action, setAction] = useState<Action>();
  return (
    <Shown polled={polled} what="the agent">
      {(agent) => (
        <>
          <AgentTop agent={agent} ask={setAction} done={polled.refresh} />
          <Findings agent={agent} />
          <SentinelFindings findings={agent.sentinel} />
          <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4}>
            <Part title="Details">
              <AgentDetails agent={agent} />
            </Part>
            <Part title="Task environments">
              <TaskEnvironments agent={agent} ask={setAction} done={polled.refresh} />
            </Part>
          </SimpleGrid>
          <Part title={`Running (${agent.running.length})`}>
            <RunningAttempts agent={agent} ask={setAction} done={polled.refresh} />
          </Part>
          <RecentAttempts agent={agent} />
          <AgentEvents agent={agent} />
          <ReasonDialog action={action} onClose={() => setAction(undefined)} />
        </>
      )}
    </Shown>
  );
}
