import { Badge, Box, Flex, Heading, HStack, Text } from "@chakra-ui/react";

import type { Page } from "../data/types/page";
import type { Sentinel, SentinelFinding, WatchedAgent, WatchedGroup } from "../data/types/sentinels";
import { usePolled } from "../data/usePolled";
import { count } from "../data/words";
import { SentinelFindings } from "../parts/agents";
import { DataTable, type Column } from "../parts/DataTable";
import { Tags, When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** What sentinels see of agents from outside, and what is wrong. */
export function SentinelPage() {
  const polled = usePolled<Page<Sentinel>>("/sentinels", 5);
  return (
    <Shown polled={polled} what="sentinels">
      {(page) =>
        page.items.length === 0 ? (
          <Nothing title="No sentinels">
            A sentinel watches the agents of a site from outside, and reports here also when all of them are down. Create a
            token of kind sentinel and start `tradewind-agent sentinel`.
          </Nothing>
        ) : (
          page.items.map((sentinel) => <One key={`${sentinel.site}\n${sentinel.name}`} sentinel={sentinel} />)
        )
      }
    </Shown>
  );
}

const GROUPS: Column<WatchedGroup>[] = [
  { name: "Worker", cell: (group) => <Text fontWeight="semibold">{group.name}</Text> },
  { name: "Queues", cell: (group) => <Tags names={group.queues} empty="not known" /> },
  { name: "Agents", cell: (group) => agents(group) },
];

const AGENTS: Column<WatchedAgent>[] = [
  { name: "Agent", cell: (agent) => <Text fontWeight="semibold">{agent.name}</Text> },
  { name: "Worker", hideBelow: "md", cell: (agent) => agent.group },
  {
    name: "State",
    cell: (agent) => (
      <HStack gap={2}>
        <Badge colorPalette={agent.ready ? "green" : agent.state === "failed" ? "red" : "orange"} variant="surface">
          {agent.ready ? "ready" : agent.state}
        </Badge>
      </HStack>
    ),
  },
  { name: "Restarts", cell: (agent) => agent.restarts },
  { name: "Started", cell: (agent) => <When at={agent.since} never="not yet" /> },
];

function One({ sentinel }: { sentinel: Sentinel }) {
  const findings: SentinelFinding[] = sentinel.findings;
  return (
    <Box as="section" aria-label={`Sentinel ${sentinel.name}`} mb={8}>
      <Flex align="baseline" wrap="wrap" columnGap={3} rowGap={1} mb={3}>
        <Heading as="h2" size="md">
          {sentinel.name}
        </Heading>
        <Badge colorPalette={sentinel.lost ? "red" : findings.length ? "orange" : "green"} variant="surface">
          {sentinel.lost ? "lost" : findings.length ? count(findings.length, "finding") : "nothing wrong"}
        </Badge>
        <Text color="fg.muted" fontSize="sm">
          site {sentinel.site}, {[sentinel.platform, sentinel.scope].filter(Boolean).join(" ")}, last report{" "}
          <When at={sentinel.last_at} />
        </Text>
      </Flex>
      <SentinelFindings findings={findings} />
      {sentinel.groups.length ? (
        <Box mb={4}>
          <DataTable label={`Workers seen by ${sentinel.name}`} columns={GROUPS} rows={sentinel.groups} id={(group) => group.name} />
        </Box>
      ) : undefined}
      {sentinel.agents.length ? (
        <DataTable label={`Agents seen by ${sentinel.name}`} columns={AGENTS} rows={sentinel.agents} id={(agent) => agent.name} />
      ) : (
        <Text color="fg.muted" fontSize="sm">
          The sentinel sees no agents.
        </Text>
      )}
    </Box>
  );
}

function agents(group: WatchedGroup): string {
  if (group.present === 0 && group.least === 0) return "at zero, wakes on work";
  const range = group.least === null ? "" : ` (${group.least} to ${group.most ?? "any"})`;
  return `${group.ready} of ${group.present} ready${range}`;
}
