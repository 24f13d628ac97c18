import { Alert, Button, Text } from "@chakra-ui/react";
import { Link as RouterLink, Navigate, Route, Routes, useLocation, useParams } from "react-router-dom";

import { usePolled } from "../../../data/usePolled";
import { Nothing, PageNotFound, Shown } from "../../../parts/states";
import { TabRow } from "../../../parts/TabRow";
import type { DeploymentView } from "../../../../generated/platform";
import { answers, type OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { referenceOf } from "../../data/platform";
import { LineIcon } from "../../parts/icons";
import { PhaseBadge, StateDot } from "../../parts/marks";
import { PageTop } from "../../parts/page";
import { AccessPage } from "./AccessPage";
import { AgentPages } from "./AgentPages";
import { BackupsPage } from "./BackupsPage";
import { DeploymentOperations } from "./DeploymentOperations";
import { DeploysPage } from "./DeploysPage";
import { EnvironmentPage } from "./EnvironmentPage";
import { LogsPage } from "./LogsPage";
import { Overview } from "./Overview";
import { SettingsPages } from "./SettingsPages";

/** One Deployment, with a tab for each side of it. */
export function DeploymentPage() {
  const { deployment: reference = "" } = useParams();
  const polled = usePolled<DeploymentView>(`/deployments/${reference}`, 3);
  if (polled.error?.status === 404) {
    return (
      <Nothing title={`There is no Deployment ${reference}`}>
        <Text mb={4}>It does not exist, or you have no role in it.</Text>
        <Button asChild size="sm" variant="outline">
          <RouterLink to="/deployments">All Deployments</RouterLink>
        </Button>
      </Nothing>
    );
  }
  return (
    <Shown polled={polled} what="the Deployment">
      {(deployment) => <Loaded deployment={deployment} done={polled.refresh} />}
    </Shown>
  );
}

function Loaded({ deployment, done }: OfDeployment) {
  const me = useMe();
  const { pathname } = useLocation();
  const base = `/deployments/${referenceOf(deployment)}`;
  const [, , , part = "overview"] = pathname.split("/");
  const may = (permission: string) => allows(me, permission, { workspace: deployment.workspace, deployment: deployment.id });
  const tabs = [
    { of: "overview", to: base, name: "Overview" },
    { of: "remote-agents", to: `${base}/remote-agents`, name: "Remote Agents", shown: may("deployment.agents.get") },
    { of: "queues", to: `${base}/queues`, name: "Queues", shown: may("deployment.agents.get") },
    { of: "events", to: `${base}/events`, name: "Events", shown: may("audit.get") },
    { of: "environment", to: `${base}/environment`, name: "Environment", shown: may("deployment.config.get") },
    { of: "backups", to: `${base}/backups`, name: "Backups", shown: may("deployment.config.get") },
    { of: "deploys", to: `${base}/deploys`, name: "Deploys" },
    { of: "operations", to: `${base}/operations`, name: "Operations" },
    { of: "logs", to: `${base}/logs`, name: "Logs", shown: may("deployment.config.values.get") },
    { of: "access", to: `${base}/access`, name: "Access" },
    { of: "settings", to: `${base}/settings`, name: "Settings" },
  ].map((tab) => ({ ...tab, current: tab.of === (part || "overview") }));
  return (
    <>
      <PageTop
        title={deployment.name}
        above={[{ name: "Deployments", to: "/deployments" }]}
        mark={
          <>
            <StateDot state={deployment.health} />
            <PhaseBadge phase={deployment.phase} />
          </>
        }
        help={deployment.description}
      >
        {answers(deployment) ? (
          <Button asChild size="sm" variant="outline">
            <a href={deployment.people_url}>
              Open Airflow <LineIcon name="external" size="sm" />
            </a>
          </Button>
        ) : undefined}
      </PageTop>
      <TabRow label={`Deployment ${deployment.name}`} tabs={tabs} />
      <Banner deployment={deployment} />
      <Routes>
        <Route index element={<Overview deployment={deployment} done={done} />} />
        <Route path="remote-agents/*" element={<AgentPages deployment={deployment} part="remote-agents" />} />
        <Route path="queues" element={<AgentPages deployment={deployment} part="queues" />} />
        <Route path="events" element={<AgentPages deployment={deployment} part="events" />} />
        <Route path="environment" element={<EnvironmentPage deployment={deployment} done={done} />} />
        <Route path="backups" element={<BackupsPage deployment={deployment} done={done} />} />
        <Route path="deploys" element={<DeploysPage deployment={deployment} done={done} />} />
        <Route path="operations" element={<DeploymentOperations deployment={deployment} />} />
        <Route path="logs" element={<LogsPage deployment={deployment} />} />
        <Route path="access" element={<AccessPage deployment={deployment} />} />
        <Route path="settings/*" element={<SettingsPages deployment={deployment} done={done} />} />
        <Route path="overview" element={<Navigate replace to={base} />} />
        <Route path="*" element={<PageNotFound />} />
      </Routes>
    </>
  );
}

function Banner({ deployment }: { deployment: DeploymentView }) {
  if (deployment.phase === "deleted") {
    return (
      <Alert.Root status="warning" mb={4}>
        <Alert.Indicator />
        <Alert.Title>
          This Deployment is deleted. Its data is kept
          {deployment.purge_after ? ` until ${new Date(deployment.purge_after).toLocaleDateString(undefined, { dateStyle: "long" })}` : ""}; it can
          be restored under Settings › Danger zone.
        </Alert.Title>
      </Alert.Root>
    );
  }
  if (deployment.phase === "purge_failed") {
    return (
      <Alert.Root status="error" mb={4}>
        <Alert.Indicator />
        <Alert.Title>
          This Deployment is deleted, and the purge of its data failed. It is tried again by itself; Overview says what failed, and Settings › Danger zone
          purges it now.
        </Alert.Title>
      </Alert.Root>
    );
  }
  if (deployment.phase === "asleep") {
    return (
      <Alert.Root status="info" mb={4}>
        <Alert.Indicator />
        <Alert.Title>This Deployment hibernates. Its agents wait, its data is kept, and no runs begin until it wakes up.</Alert.Title>
      </Alert.Root>
    );
  }
  const doing = COMES_BACK[deployment.phase];
  return doing ? (
    <Alert.Root status="info" mb={4}>
      <Alert.Indicator />
      <Alert.Title>This Deployment {doing}. Its agents go on with what they have, and its pages come back by themselves.</Alert.Title>
    </Alert.Root>
  ) : undefined;
}

/** What is being done while its Airflow does not answer for some time. */
const COMES_BACK: Record<string, string> = { upgrading: "is being upgraded", waking: "wakes up", restoring: "is being restored" };
