import { Box, Button, Flex, HStack, Input, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../data/source";
import type { Agent, AgentState } from "../data/types/agents";
import type { Page } from "../data/types/page";
import { usePolled } from "../data/usePolled";
import { count, spaced } from "../data/words";
import { AgentLink, beat, StateBadge } from "../parts/agents";
import { DataTable, type Column } from "../parts/DataTable";
import { CheckboxField } from "../parts/fields";
import { FilterSelect } from "../parts/FilterSelect";
import { SlotsBar } from "../parts/gauges";
import { Clamped, Tags } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

const STATES: AgentState[] = [
  "starting",
  "healthy",
  "degraded",
  "draining",
  "cordoned",
  "unreachable",
  "lost",
  "offline",
];

/** Every agent, how it is and how full. */
export function AgentsPage() {
  const [search, setSearch] = useState("");
  const [state, setState] = useState("");
  const [gone, setGone] = useState(false);
  const polled = usePolled<Page<Agent>>(`/agents?limit=1000&gone=${gone}${state ? `&state=${state}` : ""}`, 3);

  return (
    <>
      <Flex gap={3} mb={4} wrap="wrap" align="center">
        <Input
          type="search"
          size="sm"
          maxW="16em"
          placeholder="Name, host or queue"
          aria-label="Search agents by name, host or queue"
          value={search}
          onChange={(event) => setSearch(event.target.value)}
        />
        <FilterSelect label="State" all="Any state" options={STATES.map((each) => [each, each])} value={state} set={setState} />
        <CheckboxField checked={gone} set={setGone}>
          Show lost and offline agents
        </CheckboxField>
      </Flex>
      <Shown polled={polled} what="agents">
        {(page) => {
          const found = page.items.filter((agent) => matches(agent, search));
          if (page.total === 0 && !gone && state === "") {
            return <NoAgents />;
          }
          return (
            <>
              <Summary agents={page.items} />
              {found.length === 0 ? (
                <Nothing title="No agent matches">Change the search or the state.</Nothing>
              ) : (
                <DataTable label="Agents" columns={COLUMNS} rows={found} id={(agent) => agent.id} />
              )}
              {page.total > page.items.length ? (
                <Text color="fg.muted" mt={2}>
                  Showing the first {page.items.length} of {page.total}.
                </Text>
              ) : undefined}
            </>
          );
        }}
      </Shown>
    </>
  );
}

function matches(agent: Agent, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  return [agent.name, agent.site, agent.host.hostname, ...agent.queues].some((text) => text.toLowerCase().includes(wanted));
}

function NoAgents() {
  const { home } = useSource();
  return (
    <Nothing title="No agent is connected">
      <Text mb={4}>
        Agents run tasks next to the data. They connect to this Airflow from their side, with its address and a token.
      </Text>
      <Button asChild colorPalette="brand">
        <RouterLink to={`${home}/register`}>Register an agent</RouterLink>
      </Button>
    </Nothing>
  );
}

function Summary({ agents }: { agents: Agent[] }) {
  const serving = agents.filter((agent) => ["healthy", "degraded", "starting"].includes(agent.state));
  const troubled = agents.filter((agent) => ["degraded", "unreachable", "lost"].includes(agent.state));
  const slots = serving.reduce((sum, agent) => sum + agent.slots, 0);
  const used = agents.reduce((sum, agent) => sum + agent.slots_used, 0);
  const facts: [string, string, string][] = [
    ["Available agents", String(serving.length), `of ${agents.length} listed`],
    ["Need attention", String(troubled.length), troubled.map((agent) => agent.name).slice(0, 3).join(", ") || "none"],
    ["Running attempts", String(used), `on ${count(slots, "slot")} of available agents`],
  ];
  return (
    <SimpleGrid columns={{ base: 1, sm: 3 }} gap={3} mb={4}>
      {facts.map(([label, value, help]) => (
        <Box key={label} as="section" borderWidth={1} borderRadius="md" px={4} py={3}>
          <Text color="fg.muted" fontSize="sm">
            {label}
          </Text>
          <Text fontSize="2xl" fontWeight="semibold">
            {value}
          </Text>
          <Text color="fg.muted" fontSize="xs">
            {help}
          </Text>
        </Box>
      ))}
    </SimpleGrid>
  );
}

const COLUMNS: Column<Agent>[] = [
  {
    name: "Name",
    cell: (agent) => (
      <Box>
        <AgentLink id={agent.id} name={agent.name} fontWeight="semibold" />
        <Text color="fg.muted" fontSize="xs">
          {agent.host.hostname || "unknown host"}
        </Text>
      </Box>
    ),
  },
  { name: "Site", cell: (agent) => agent.site },
  {
    name: "State",
    cell: (agent) => (
      <Box maxW="22em">
        <HStack gap={2}>
          <StateBadge state={agent.state} />
          <Text color="fg.muted" fontSize="xs" whiteSpace="nowrap">
            {beat(agent)}
          </Text>
        </HStack>
        {agent.state_reason ? (
          <Box mt={1}>
            <Clamped text={agent.state_reason} of={`reason that ${agent.name} is ${agent.state}`} />
          </Box>
        ) : undefined}
      </Box>
    ),
  },
  { name: "Slots", cell: (agent) => <SlotsBar used={agent.slots_used} total={agent.slots} of={agent.name} /> },
  { name: "Queues", cell: (agent) => <Tags names={agent.queues} /> },
  { name: "Components", hideBelow: "lg", cell: (agent) => <Tags names={agent.components.map(spaced)} /> },
  {
    name: "Versions",
    hideBelow: "xl",
    cell: (agent) => (
      <Box fontSize="xs">
        <Text>Tradewind {agent.version || "?"}</Text>
        <Text color="fg.muted">
          {[...new Set(agent.environments.map((each) => each.airflow).filter(Boolean))]
            .map((version) => `Airflow ${version}`)
            .join(", ")}
        </Text>
      </Box>
    ),
  },
];
