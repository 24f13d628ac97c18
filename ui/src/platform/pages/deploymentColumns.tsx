// The list of Deployments, column by column. All of it is in one answer of the platform: no Deployment is asked.
import { Box, HStack, Link, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import type { Column } from "../../parts/DataTable";
import { When } from "../../parts/marks";
import type { DeploymentView, ReleaseView } from "../../../generated/platform";
import { GONE } from "../data/deployments";
import { referenceOf } from "../data/platform";
import { compared } from "../data/versions";
import { PhaseBadge, StateDot } from "../parts/marks";

export function DeploymentLink({ deployment }: { deployment: DeploymentView }) {
  return (
    <Link asChild color="fg.info" fontWeight="semibold">
      <RouterLink to={`/deployments/${referenceOf(deployment)}`}>{deployment.name}</RouterLink>
    </Link>
  );
}

/** `releases`: those that clusters can run, so that a newer one can be named. */
export function columnsOf(releases: ReleaseView[]): Column<DeploymentView>[] {
  return [
    {
      name: "Name",
      cell: (each) => (
        <Box>
          <HStack gap={2}>
            <DeploymentLink deployment={each} />
            <PhaseBadge phase={each.phase} />
          </HStack>
          <Text color="fg.muted" fontSize="xs" lineClamp={1}>
            {each.description}
          </Text>
        </Box>
      ),
    },
    {
      name: "Health",
      cell: (each) => (
        <Box>
          <StateDot state={each.health} />
          {each.health_reason && !GONE.has(each.phase) ? (
            <Text color="fg.muted" fontSize="xs" maxW="28em" lineClamp={2}>
              {each.health_reason}
            </Text>
          ) : undefined}
        </Box>
      ),
    },
    { name: "Agents", cell: (each) => <Agents deployment={each} /> },
    { name: "Running", hideBelow: "md", cell: (each) => <Figure of={each.workload?.running} /> },
    { name: "Queued", hideBelow: "md", cell: (each) => <Figure of={each.workload?.queued} /> },
    { name: "Airflow", hideBelow: "md", cell: (each) => <Version deployment={each} newest={newestOf(releases, each.cluster_name)} /> },
    { name: "Workspace", hideBelow: "lg", cell: (each) => each.workspace_name },
    { name: "Cluster", hideBelow: "xl", cell: (each) => each.cluster_name },
    { name: "Next event", hideBelow: "lg", cell: (each) => <NextEvent deployment={each} /> },
    {
      name: "Last change",
      hideBelow: "xl",
      cell: (each) => (
        <Box>
          <When at={each.updated_at} />
          <Text color="fg.muted" fontSize="xs">
            {each.updated_by ? `by ${each.updated_by}` : ""}
          </Text>
        </Box>
      ),
    },
  ];
}

const UNTOLD = "Its Airflow has told nothing lately";

/** Healthy ones of all: of those that are connected, and of those that were lost within the hour. */
function Agents({ deployment }: { deployment: DeploymentView }) {
  const told = deployment.workload;
  if (told === null) {
    return <Untold />;
  }
  const few = told.healthy_agents < told.agents || told.agents === 0;
  return (
    <Link asChild color={few ? "fg.warning" : "fg.info"} whiteSpace="nowrap">
      <RouterLink to={`/deployments/${referenceOf(deployment)}/remote-agents`}>
        {told.agents === 0 ? "none" : `${told.healthy_agents} of ${told.agents}`}
      </RouterLink>
    </Link>
  );
}

function Figure({ of }: { of: number | undefined }) {
  return of === undefined ? <Untold /> : <Text color={of === 0 ? "fg.muted" : undefined}>{of}</Text>;
}

function Untold() {
  return (
    <Text color="fg.muted" title={UNTOLD}>
      –
    </Text>
  );
}

const newestOf = (releases: ReleaseView[], cluster: string) =>
  releases
    .filter((each) => each.channel === "stable" && each.clusters.includes(cluster))
    .map((each) => each.version)
    .sort(compared)
    .at(-1);

/** The version, and the newer one that its cluster can run. */
function Version({ deployment, newest }: { deployment: DeploymentView; newest: string | undefined }) {
  const newer = newest !== undefined && deployment.version !== "" && compared(newest, deployment.version) > 0;
  return (
    <Box>
      {GONE.has(deployment.phase) || deployment.observed_revision === 0 ? (
        <Text>{deployment.version}</Text>
      ) : (
        <Link href={deployment.people_url} color="fg.info" aria-label={`${deployment.version || "Open"}: Airflow of ${deployment.name}`}>
          {deployment.version || "Open"}
        </Link>
      )}
      {newer && !GONE.has(deployment.phase) ? (
        <Link asChild fontSize="xs" color="fg.muted" display="block" whiteSpace="nowrap">
          <RouterLink to={`/deployments/${referenceOf(deployment)}/settings/version`}>↑ {newest} available</RouterLink>
        </Link>
      ) : undefined}
    </Box>
  );
}

const EVENTS: Record<string, string> = { hibernate: "hibernates", wake: "wakes up", purge: "is erased" };

function NextEvent({ deployment }: { deployment: DeploymentView }) {
  return deployment.next_event_at === null ? (
    <Text color="fg.muted">none</Text>
  ) : (
    <Text whiteSpace="nowrap">
      {EVENTS[deployment.next_event] ?? deployment.next_event} <When at={deployment.next_event_at} />
    </Text>
  );
}
