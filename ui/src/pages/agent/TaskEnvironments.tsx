import { Box, HStack, Text } from "@chakra-ui/react";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { Environment } from "../../data/types/agents";
import { count } from "../../data/words";
import { DataTable, type Column } from "../../parts/DataTable";
import type { Action } from "../../parts/dialogs";
import { SlotsBar } from "../../parts/gauges";
import { Clamped, Tags } from "../../parts/marks";
import { Ask, type Asking } from "./Ask";

/** The agent's environments, with their queues and slots. */
export function TaskEnvironments({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call } = useSource();
  const gone = agent.ended_at !== null;
  const setSlots = (environment: Environment): Action => ({
    title: `Set slots of ${environment.name} on ${agent.name}`,
    explained:
      "The number of attempts that this environment runs at once, until the agent restarts. " +
      "If you set fewer slots than are in use, running work continues and new work waits.",
    submit: "Set slots",
    number: { label: "Slots", value: environment.slots, most: 10_000 },
    run: async (reason, slots) => {
      await call(`/agents/${agent.id}/slots`, {
        method: "POST",
        body: { environment: environment.name, slots, reason },
      });
      say(`Requested ${count(slots, "slot")} for ${environment.name}`);
      done();
    },
  });
  const columns: Column<Environment>[] = [
    {
      name: "Environment",
      cell: (each) => (
        <Box>
          <Text fontWeight="semibold">{each.name}</Text>
          <Text color="fg.muted" fontSize="xs">
            {[each.python && `Python ${each.python}`, each.airflow && `Airflow ${each.airflow}`].filter(Boolean).join(", ")}
          </Text>
          {each.problem ? (
            <Box color="fg.error">
              <Clamped text={each.problem} of={`problem of ${each.name}`} />
            </Box>
          ) : undefined}
        </Box>
      ),
    },
    { name: "Queues", cell: (each) => <Tags names={each.queues} /> },
    {
      name: "Slots",
      cell: (each) => (
        <HStack gap={2}>
          <SlotsBar used={each.used} total={each.slots} of={each.name} />
          {may("deployment.agents.update") && !gone ? <Ask action={setSlots(each)} ask={ask} label="Set" /> : undefined}
        </HStack>
      ),
    },
  ];
  return agent.environments.length === 0 ? (
    <Text color="fg.muted">This agent runs no tasks.</Text>
  ) : (
    <DataTable label="Task environments" columns={columns} rows={agent.environments} id={(each) => each.name} />
  );
}
