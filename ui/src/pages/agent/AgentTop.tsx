import { Box, Flex, Heading, HStack, Text } from "@chakra-ui/react";

import { useSource } from "../../data/source";
import { count } from "../../data/words";
import { beat, StateBadge } from "../../parts/agents";
import { Breadcrumbs } from "../../parts/Breadcrumbs";
import { Clamped } from "../../parts/marks";
import { AgentActions } from "./AgentActions";
import type { Asking } from "./Ask";

/** The agent's name and state, the way back to all agents, and what can be done to it. */
export function AgentTop({ agent, ask, done }: Asking) {
  const { home } = useSource();
  return (
    <Box mb={4}>
      <Breadcrumbs above={[{ name: "Agents", to: home }]} name={agent.name} />
      <Flex justify="space-between" align="flex-start" wrap="wrap" gap={3}>
        <Box>
          <HStack gap={3}>
            <Heading as="h2" size="lg">
              {agent.name}
            </Heading>
            <StateBadge state={agent.state} />
          </HStack>
          <Text color="fg.muted" fontSize="sm">
            {beat(agent)}
            {agent.pending_commands ? `; ${count(agent.pending_commands, "command")} pending` : ""}
          </Text>
          {agent.state_reason ? <Clamped text={agent.state_reason} of="reason of the state" fontSize="sm" /> : undefined}
        </Box>
        <AgentActions agent={agent} ask={ask} done={done} />
      </Flex>
    </Box>
  );
}
