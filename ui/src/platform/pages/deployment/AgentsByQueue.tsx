import { Badge, Link, Text } from "@chakra-ui/react";
import { useMemo } from "react";
import { Link as RouterLink } from "react-router-dom";

import { SourceContext } from "../../../data/source";
import type { Agent } from "../../../data/types/agents";
import type { Page } from "../../../data/types/page";
import type { Queue } from "../../../data/types/queues";
import { usePolled } from "../../../data/usePolled";
import { count, duration } from "../../../data/words";
import { DataTable, type Column } from "../../../parts/DataTable";
import { SlotsBar } from "../../../parts/gauges";
import { Loading, Problem, Shown } from "../../../parts/states";
import type { DeploymentView } from "../../../../generated/platform";
import { ofDeployment } from "../../data/platform";
import { Panel } from "../../parts/page";
import { RegisterLink } from "./RegisterLink";

/** The queues of a Deployment that runs, asked of its Airflow. */
export function AgentsByQueue({ deployment }: { deployment: DeploymentView }) {
  const source = useMemo(() => ofDeployment(deployment), [deployment.name, deployment.people_url]);
  return (
    <SourceContext.Provider value={source}>
      <ByQueue deployment={deployment} to={source.home} />
    </SourceContext.Provider>
  );
}

function ByQueue({ deployment, to }: { deployment: DeploymentView; to: string }) {
  const queues = usePolled<Page<Queue>>("/queues", 5);
  const agents = usePolled<Page<Agent>>("/agents?limit=1000&gone=false", 5);
  return (
    <Panel
      title="Agents by queue"
      action={
        <Link asChild color="fg.info" fontSize="sm">
          <RouterLink to={to}>{agents.data ? count(agents.data.total, "agent") : "Agents"}</RouterLink>
        </Link>
      }
    >
      {agents.data?.total === 0 ? (
        <Text>No agent is connected, so no task can run. <RegisterLink deployment={deployment} /></Text>
      ) : queues.data === undefined ? (
        queues.error ? (
          <Problem error={queues.error} retry={queues.refresh} />
        ) : (
          <Loading what="queues" />
        )
      ) : (
        <Shown polled={queues} what="queues">
          {(page) => <DataTable label="Queues" columns={QUEUES} rows={page.items} id={(each) => `${each.site} ${each.queue}`} />}
        </Shown>
      )}
    </Panel>
  );
}

const QUEUES: Column<Queue>[] = [
  {
    name: "Queue",
    cell: (each) => (
      <Text>
        {each.queue}
        {each.site ? (
          <Badge ms={2} variant="outline" textTransform="none">
            {each.site}
          </Badge>
        ) : undefined}
      </Text>
    ),
  },
  { name: "Agents", cell: (each) => (each.agents.length ? each.agents.slice(0, 4).join(", ") : "none") },
  { name: "Queued", cell: (each) => (each.depth ? `${each.depth}, oldest ${duration(each.oldest_wait)}` : "0") },
  { name: "Running", hideBelow: "md", cell: (each) => each.running },
  { name: "Slots", hideBelow: "md", cell: (each) => <SlotsBar used={each.slots_used} total={each.slots} of={each.queue} /> },
];
