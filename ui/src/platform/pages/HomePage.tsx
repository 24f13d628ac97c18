import { Box, Button, Flex, Link, SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { count, spaced } from "../../data/words";
import { When } from "../../parts/marks";
import { useSay } from "../../parts/news";
import { Nothing, Shown } from "../../parts/states";
import type { ApiTokenView, DeploymentView, OperationView, WorkspaceView } from "../../../generated/platform";
import { GONE } from "../data/deployments";
import { allows, useMe } from "../data/permissions";
import { PhaseBadge, StateDot } from "../parts/marks";
import { PageTop, Panel } from "../parts/page";
import { DeploymentLink } from "./deploymentColumns";
import { WorkspaceForm } from "./organization/WorkspaceForm";

const ORDER = ["unhealthy", "degraded", "unknown", "healthy", "asleep"];
const DAY = 86_400_000;

/** Each workspace with its Deployments, the ones that need attention first, and what happened lately. */
export function HomePage() {
  const me = useMe();
  const say = useSay();
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 15);
  const deployments = usePolled<Page<DeploymentView>>("/deployments?limit=1000", 5);
  const [making, setMaking] = useState(false);
  const live = deployments.data?.items.filter((each) => !GONE.has(each.phase)) ?? [];
  return (
    <>
      <PageTop title={me.organization}>
        {allows(me, "workspace.create") ? (
          <Button size="sm" variant="outline" onClick={() => setMaking(true)}>
            Create workspace
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={workspaces} what="workspaces">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="You have no role here yet">Ask an owner of the organization {me.organization} for a role in a workspace or a Deployment.</Nothing>
          ) : (
            <SimpleGrid columns={{ base: 1, xl: 3 }} gap={4} alignItems="start">
              <SimpleGrid columns={{ base: 1, md: 2 }} gap={4} gridColumn={{ xl: "span 2" }} alignItems="start">
                {page.items.map((each) => (
                  <Workspace key={each.id} workspace={each} deployments={live.filter((one) => one.workspace === each.id)} />
                ))}
              </SimpleGrid>
              <News deployments={live} />
            </SimpleGrid>
          )
        }
      </Shown>
      {making ? (
        <WorkspaceForm
          onClose={() => setMaking(false)}
          onDone={(workspace) => {
            say(`Workspace ${workspace.name} was created`);
            workspaces.refresh();
          }}
        />
      ) : undefined}
    </>
  );
}

const MOST = 8; // of a card; the rest is one click away

function Workspace({ workspace, deployments }: { workspace: WorkspaceView; deployments: DeploymentView[] }) {
  const me = useMe();
  const rows = [...deployments].sort((a, b) => ORDER.indexOf(a.health) - ORDER.indexOf(b.health) || a.name.localeCompare(b.name));
  const all = `/deployments?workspace=${encodeURIComponent(workspace.name)}`;
  return (
    <Panel
      title={workspace.name}
      action={
        <Link asChild color="fg.info" fontSize="sm">
          <RouterLink to={all}>{count(deployments.length, "Deployment")}</RouterLink>
        </Link>
      }
    >
      {workspace.description ? (
        <Text color="fg.muted" mb={3}>
          {workspace.description}
        </Text>
      ) : undefined}
      {rows.length === 0 ? (
        <Box>
          <Text color="fg.muted" mb={3}>
            No Deployments yet.
          </Text>
          {allows(me, "deployment.create", { workspace: workspace.id }) ? (
            <Button asChild size="sm" colorPalette="brand">
              <RouterLink to="/deployments/new">New Deployment</RouterLink>
            </Button>
          ) : undefined}
        </Box>
      ) : (
        <VStack align="stretch" gap={2}>
          {rows.slice(0, MOST).map((each) => (
            <Flex key={each.id} justify="space-between" gap={3} align="center">
              <Flex gap={2} align="center" minW={0}>
                <DeploymentLink deployment={each} />
                <PhaseBadge phase={each.phase} />
              </Flex>
              <Flex gap={4} align="center">
                <Text color="fg.muted" fontSize="xs" whiteSpace="nowrap">
                  {workOf(each)}
                </Text>
                <StateDot state={each.health} />
              </Flex>
            </Flex>
          ))}
          {rows.length > MOST ? (
            <Link asChild color="fg.info" fontSize="sm">
              <RouterLink to={all}>and {rows.length - MOST} more</RouterLink>
            </Link>
          ) : undefined}
        </VStack>
      )}
    </Panel>
  );
}

/** "2 of 3 agents, 7 queued": as its Airflow has told. */
function workOf({ workload }: DeploymentView): string {
  if (workload === null) {
    return "";
  }
  const agents = workload.agents === 0 ? "no agent" : `${workload.healthy_agents} of ${workload.agents} agents`;
  return workload.queued ? `${agents}, ${workload.queued} queued` : agents;
}

type Item = { key: string; what: string; to: string; at: string; state: string };

/** What went wrong, what is being done, and what ends soon. */
function News({ deployments }: { deployments: DeploymentView[] }) {
  const operations = usePolled<Page<OperationView>>("/operations?limit=50", 5).data?.items ?? [];
  const tokens = usePolled<Page<ApiTokenView>>("/api-tokens?limit=1000", 60).data?.items ?? [];
  const items: Item[] = [
    ...deployments
      .filter((each) => each.health === "unhealthy" || each.health === "degraded")
      .map((each) => ({ key: each.id, what: `${each.name} is ${each.health}. ${each.health_reason}`, to: `/deployments/${each.name}`, at: each.updated_at, state: each.health })),
    ...deployments.flatMap((each) =>
      each.conditions
        .filter((one) => one.status === "true" && one.message) // it holds, and not for long
        .map((one) => ({ key: `${each.id} ${one.type}`, what: `${each.name}: ${one.message}`, to: `/deployments/${each.name}`, at: one.since, state: "degraded" })),
    ),
    ...operations
      .filter((each) => each.state === "running" || (each.state === "failed" && Date.now() - Date.parse(each.created_at) < DAY))
      .map((each) => ({
        key: each.id,
        what: `${spaced(each.kind)} of ${each.deployment_name} ${each.state === "running" ? "runs" : "failed"}`,
        to: `/operations/${each.id}`,
        at: each.created_at,
        state: each.state === "failed" ? "unhealthy" : "unknown",
      })),
    ...tokens
      .filter((each) => each.expires_at !== null && Date.parse(each.expires_at) - Date.now() < 30 * DAY)
      .map((each) => ({
        key: each.id,
        what: `API token ${each.name} ${Date.parse(each.expires_at ?? "") < Date.now() ? "has expired" : "expires"}`,
        to: "/organization/api-tokens",
        at: each.expires_at ?? "",
        state: "degraded",
      })),
  ];
  return (
    <Panel title="Needs attention">
      {items.length === 0 ? (
        <Text color="fg.muted">Nothing.</Text>
      ) : (
        <VStack align="stretch" gap={3}>
          {items.slice(0, 12).map((each) => (
            <Flex key={each.key} gap={2} align="flex-start">
              <Box pt={0.5}>
                <StateDot state={each.state} word="" />
              </Box>
              <Box minW={0}>
                <Link asChild color="fg.info">
                  <RouterLink to={each.to}>{each.what}</RouterLink>
                </Link>
                <Text color="fg.muted" fontSize="xs">
                  <When at={each.at} />
                </Text>
              </Box>
            </Flex>
          ))}
        </VStack>
      )}
    </Panel>
  );
}
