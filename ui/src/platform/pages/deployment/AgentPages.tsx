// The pages of the operator API, as the Airflow of the Deployment has them, asked through the platform.
import { Alert } from "@chakra-ui/react";
import { useMemo } from "react";
import { Route, Routes, useLocation } from "react-router-dom";

import { HereContext, type Here } from "../../../data/context";
import { mayHere, type Me } from "../../../data/permissions";
import { SourceContext } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { useSay } from "../../../parts/news";
import { Loading, Nothing, PageNotFound, Problem } from "../../../parts/states";
import { TabRow } from "../../../parts/TabRow";
import { AddressesPage } from "../../../pages/addresses/AddressesPage";
import { AgentPage } from "../../../pages/agent/AgentPage";
import { AgentsPage } from "../../../pages/AgentsPage";
import { EventsPage } from "../../../pages/events/EventsPage";
import { QueuesPage } from "../../../pages/QueuesPage";
import { RegisterPage } from "../../../pages/register/RegisterPage";
import { SentinelPage } from "../../../pages/SentinelPage";
import { SiteAccessPage } from "../../../pages/SiteAccessPage";
import { TokensPage } from "../../../pages/tokens/TokensPage";
import type { DeploymentView } from "../../../../generated/platform";
import { answers } from "../../data/deployments";
import { ofDeployment, referenceOf } from "../../data/platform";

/** Why there is nothing of its Airflow to show, and what to do about it. */
const WHY: Record<string, string> = {
  creating: "The Deployment is being made. This page is there once it runs; Overview shows the steps.",
  failed: "The Deployment was never wholly made. Overview says why, and tries again.",
  asleep: "The Deployment hibernates. Its agents wait; wake it up under Settings › Hibernation.",
  waking: "The Deployment wakes up. This page comes back by itself.",
  upgrading: "The Deployment is being upgraded. Its agents go on with what they have, and this page comes back by itself.",
  restoring: "The Deployment is being restored. This page comes back by itself.",
  deleting: "The Deployment is being deleted.",
  purge_failed: "The Deployment is deleted, and a part of its data is erased. Overview says why not all of it.",
  deleted: "The Deployment is deleted. Its data is kept for some days; restore it under Settings › Danger zone.",
};

type Part = "remote-agents" | "queues" | "events" | "addresses";

export function AgentPages({ deployment, part }: { deployment: DeploymentView; part: Part }) {
  const source = useMemo(() => ofDeployment(deployment), [deployment.name, deployment.people_url, deployment.phase === "purged"]);
  if (!answers(deployment)) {
    return <Nothing title="Its Airflow does not run">{WHY[deployment.phase] ?? `The Deployment is ${deployment.phase}, so there is nothing to show.`}</Nothing>;
  }
  return (
    <SourceContext.Provider value={source}>
      <Known part={part} base={`/deployments/${referenceOf(deployment)}`} />
    </SourceContext.Provider>
  );
}

/** Asks the Deployment what the person may do there, and shows the part. */
function Known({ part, base }: { part: Part; base: string }) {
  const say = useSay();
  const polled = usePolled<Me>("/me", 60);
  const me = polled.data;
  const here = useMemo<Here | undefined>(() => (me ? { me, say } : undefined), [me, say]);
  if (here === undefined) {
    return polled.error ? <Problem error={polled.error} retry={polled.refresh} /> : <Loading what="the Deployment's agents" />;
  }
  return (
    <HereContext.Provider value={here}>
      {polled.error ? (
        <Alert.Root status="warning" mb={3}>
          <Alert.Indicator />
          <Alert.Title>{polled.error.message}</Alert.Title>
        </Alert.Root>
      ) : undefined}
      {part === "remote-agents" ? (
        <RemoteAgents base={`${base}/remote-agents`} me={here.me} />
      ) : part === "queues" ? (
        <QueuesPage />
      ) : part === "events" ? (
        <EventsPage />
      ) : (
        <AddressesPage />
      )}
    </HereContext.Provider>
  );
}

function RemoteAgents({ base, me }: { base: string; me: Me }) {
  const { pathname } = useLocation();
  const at = pathname.replace(/\/+$/u, "").slice(base.length + 1).split("/")[0] || "agents";
  const tabs = [
    { of: "agents", to: base, name: "Agents" },
    { of: "tokens", to: `${base}/tokens`, name: "Tokens", shown: mayHere(me, "deployment.agentTokens.get") },
    { of: "register", to: `${base}/register`, name: "Register an agent" },
    { of: "sentinel", to: `${base}/sentinel`, name: "Sentinel" },
    { of: "site-access", to: `${base}/site-access`, name: "Site access", shown: mayHere(me, "deployment.sites.get") },
  ].map((tab) => ({ ...tab, current: tab.of === at }));
  return (
    <>
      <TabRow label="Remote Agents" tabs={tabs} small />
      <Routes>
        <Route index element={<AgentsPage />} />
        <Route path="agents/:agentId" element={<AgentPage />} />
        <Route path="tokens" element={<TokensPage />} />
        <Route path="register" element={<RegisterPage />} />
        <Route path="sentinel" element={<SentinelPage />} />
        <Route path="site-access" element={<SiteAccessPage />} />
        <Route path="events" element={<EventsPage />} />
        <Route path="*" element={<PageNotFound />} />
      </Routes>
    </>
  );
}
