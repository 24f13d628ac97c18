import { Badge, Box, DataList, Link, SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useMemo, type ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

import { SourceContext } from "../../../data/source";
import type { Agent, Page as AgentsPage, Queue } from "../../../data/types";
import { usePolled } from "../../../data/usePolled";
import { bytes, count, duration } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { DataTable, type Column } from "../../../parts/DataTable";
import { SlotsBar, When } from "../../../parts/marks";
import { Loading, Problem, Shown } from "../../../parts/states";
import type { ConditionView, DeploymentView, OperationView } from "../../../../generated/platform";
import { ofDeployment, referenceOf } from "../../data/platform";
import type { Page } from "../../data/types";
import { Cancel, Cancelling } from "../../parts/Cancel";
import { OperationBadge, StateDot } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { Steps } from "../../parts/Steps";
import { Fact, Failed, Retry } from "../OperationPage";
import { answers, type OfDeployment } from "./DeploymentPage";

/** How the Deployment is, why, what is being done with it, and how to reach it. */
export function Overview({ deployment, done }: OfDeployment) {
  return (
    <SimpleGrid columns={{ base: 1, xl: 3 }} gap={4} alignItems="start">
      <VStack align="stretch" gap={4} gridColumn={{ xl: "span 2" }} minW={0}>
        <Now deployment={deployment} done={done} />
        <Panel title="Health">
          <Conditions conditions={deployment.conditions} />
        </Panel>
        {answers(deployment) ? <Agents deployment={deployment} /> : undefined}
      </VStack>
      <VStack align="stretch" gap={4} minW={0}>
        <Panel title="Addresses">
          <Text mb={1}>Airflow, for people</Text>
          <Copyable text={deployment.people_url} what="address of Airflow" />
          <Text mt={3} mb={1}>
            For agents
          </Text>
          <Copyable text={deployment.agent_url} what="address for agents" />
          <Text color="fg.muted" fontSize="xs" mt={2}>
            An agent needs this address and a token. <Register deployment={deployment} />
          </Text>
        </Panel>
        <Panel title="Details">
          <DataList.Root orientation="horizontal" size="sm">
            <Fact name="Workspace">{deployment.workspace_name}</Fact>
            <Fact name="Cluster">{deployment.cluster_name}</Fact>
            {deployment.version ? <Fact name="Airflow">{deployment.version}</Fact> : undefined}
            <Fact name="Id">
              <code>{deployment.slug}</code>
            </Fact>
            {deployment.contact_emails.length ? (
              <Fact name="Contacts">
                <VStack align="start" gap={0}>
                  {deployment.contact_emails.map((each) => (
                    <Link key={each} href={`mailto:${encodeURIComponent(each).replace("%40", "@")}`} color="fg.info" wordBreak="break-all">
                      {each}
                    </Link>
                  ))}
                </VStack>
              </Fact>
            ) : undefined}
            {deployment.workload?.database_bytes == null ? undefined : <Fact name="Metadata database">{bytes(deployment.workload.database_bytes)}</Fact>}
            <Fact name="Data policy">
              <code>{deployment.policy}</code>
            </Fact>
            <Fact name="Deletion">{deployment.deletion_protection ? "protected" : "not protected"}</Fact>
            <Fact name="Created">
              <When at={deployment.created_at} />
              {deployment.created_by ? `, by ${deployment.created_by}` : ""}
            </Fact>
            <Fact name="Changed">
              <When at={deployment.updated_at} />
              {deployment.updated_by ? `, by ${deployment.updated_by}` : ""}
            </Fact>
            <Fact name="Configuration">
              {deployment.observed_revision === deployment.revision
                ? `revision ${deployment.revision}, applied`
                : `revision ${deployment.revision}; ${deployment.observed_revision} is applied`}
            </Fact>
          </DataList.Root>
        </Panel>
      </VStack>
    </SimpleGrid>
  );
}

function Register({ deployment }: { deployment: DeploymentView }) {
  return (
    <Link asChild color="fg.info">
      <RouterLink to={`/deployments/${referenceOf(deployment)}/remote-agents/register`}>Register an agent</RouterLink>
    </Link>
  );
}

/** The operation that runs, or the last one where it failed. */
function Now({ deployment, done }: OfDeployment) {
  const one = usePolled<OperationView>(deployment.operation === null ? undefined : `/operations/${deployment.operation}`, 1);
  const last = usePolled<Page<OperationView>>(
    ["failed", "purge_failed"].includes(deployment.phase) ? `/operations?deployment=${referenceOf(deployment)}&limit=1` : undefined,
    5,
  );
  const operation = one.data ?? last.data?.items[0];
  const again = () => {
    one.refresh();
    done();
  };
  if (operation === undefined || operation.state === "succeeded") {
    return undefined;
  }
  return (
    <Panel title={`Operation: ${operation.kind}`} action={<OperationBadge state={operation.state} />}>
      <VStack align="stretch" gap={3}>
        <Failed operation={operation} />
        <Cancelling operation={operation} />
        <Steps operation={operation} />
        <Box>
          <Cancel operation={operation} done={again} />
          <Retry operation={operation} done={again} />
        </Box>
      </VStack>
    </Panel>
  );
}

function Conditions({ conditions }: { conditions: ConditionView[] }) {
  return conditions.length === 0 ? (
    <Text color="fg.muted">Nothing is observed yet.</Text>
  ) : (
    <DataTable label="Conditions" columns={CONDITIONS} rows={conditions} id={(each) => each.type} />
  );
}

const WORDS: Record<string, string> = { true: "yes", false: "no", unknown: "unknown" };

/** "ApiServerReady" → "Api server ready" */
const words = (type: string) => {
  const text = type.replace(/([a-z])([A-Z])/gu, "$1 $2").toLowerCase();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`.replace("Api ", "API ");
};

const CONDITIONS: Column<ConditionView>[] = [
  { name: "Condition", cell: (each) => words(each.type) },
  { name: "State", cell: (each) => <StateDot state={each.status} word={WORDS[each.status] ?? each.status} /> },
  {
    name: "Cause and remedy",
    cell: (each) => (
      <Box>
        {each.message ? <Text>{each.message}</Text> : undefined}
        {each.remedy ? <Text color="fg.muted">{each.remedy}</Text> : undefined}
      </Box>
    ),
  },
  { name: "Since", hideBelow: "md", cell: (each) => <When at={each.since} /> },
];

function Agents({ deployment }: { deployment: DeploymentView }) {
  const source = useMemo(() => ofDeployment(deployment), [deployment.name, deployment.people_url]);
  return (
    <SourceContext.Provider value={source}>
      <ByQueue register={<Register deployment={deployment} />} to={source.home} />
    </SourceContext.Provider>
  );
}

function ByQueue({ register, to }: { register: ReactNode; to: string }) {
  const queues = usePolled<AgentsPage<Queue>>("/queues", 5);
  const agents = usePolled<AgentsPage<Agent>>("/agents?limit=1000&gone=false", 5);
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
        <Text>No agent is connected, so no task can run. {register}</Text>
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
  { name: "Waiting", cell: (each) => (each.depth ? `${each.depth}, oldest ${duration(each.oldest_wait)}` : "0") },
  { name: "Running", hideBelow: "md", cell: (each) => each.running },
  { name: "Slots", hideBelow: "md", cell: (each) => <SlotsBar used={each.slots_used} total={each.slots} of={each.queue} /> },
];
