import { Alert, Box, HStack, Spinner, Text } from "@chakra-ui/react";

import type { Agent } from "../../data/types/agents";
import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { AgentLink, Findings, StateBadge } from "../../parts/agents";
import { Problem } from "../../parts/states";

/** Connected is not yet well: green is said of an agent that is healthy. */
export function Arrival({ name }: { name: string }) {
  const polled = usePolled<Page<Agent>>(`/agents?name=${encodeURIComponent(name)}`, 2);
  const agent = polled.data?.items.find((each) => each.ended_at === null);
  return (
    <Box aria-live="polite">
      {agent ? (
        <>
          <Alert.Root
            status={agent.state === "healthy" ? "success" : agent.state === "starting" ? "info" : "warning"}
            mb={3}
          >
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>
                <HStack gap={2} wrap="wrap">
                  <AgentLink id={agent.id} name={agent.name} />
                  is connected <StateBadge state={agent.state} />
                </HStack>
              </Alert.Title>
              {agent.state === "healthy" ? undefined : (
                <Alert.Description>
                  {agent.state === "starting"
                    ? "Its processes are starting. It takes work when they are ready."
                    : `The agent is not ready for work. Its state is ${agent.state}.`}
                </Alert.Description>
              )}
            </Alert.Content>
          </Alert.Root>
          <Findings agent={agent} />
        </>
      ) : (
        <HStack gap={3}>
          <Spinner size="sm" />
          <Text color="fg.muted">Waiting for {name} to connect. This page updates by itself.</Text>
        </HStack>
      )}
      {polled.error ? <Problem error={polled.error} /> : undefined}
    </Box>
  );
}
