import { Box, Flex, Heading, Text } from "@chakra-ui/react";
import { useEffect, useMemo } from "react";
import { Route, Routes, useLocation } from "react-router-dom";

import { HereContext, type Here } from "./data/context";
import { mayHere, type Me } from "./data/permissions";
import { useSource } from "./data/source";
import { usePolled } from "./data/usePolled";
import { News, SayContext, useNews } from "./parts/news";
import { Loading, PageNotFound, Problem } from "./parts/states";
import { TabRow } from "./parts/TabRow";
import { AddressesPage } from "./pages/addresses/AddressesPage";
import { AgentPage } from "./pages/agent/AgentPage";
import { AgentsPage } from "./pages/AgentsPage";
import { EventsPage } from "./pages/events/EventsPage";
import { QueuesPage } from "./pages/QueuesPage";
import { RegisterPage } from "./pages/register/RegisterPage";
import { SentinelPage } from "./pages/SentinelPage";
import { SiteAccessPage } from "./pages/SiteAccessPage";
import { TokensPage } from "./pages/tokens/TokensPage";

/** The whole page. Airflow's own router, theme and colour mode hold around it. */
export function RemoteAgents() {
  const { data: me, error, refresh } = usePolled<Me>("/me", 60);
  const [news, say] = useNews();
  const here = useMemo<Here | undefined>(() => (me ? { me, say } : undefined), [me, say]);

  useEffect(() => {
    const before = document.title;
    document.title = "Remote Agents - Airflow";
    return () => {
      document.title = before;
    };
  }, []);

  return (
    <Box as="section" aria-label="Remote Agents" p={{ base: 3, md: 4 }} w="100%">
      <Flex align="baseline" justify="space-between" wrap="wrap" columnGap={4} mb={2}>
        <Heading as="h1" size="xl">
          Remote Agents
        </Heading>
        {me ? (
          <Text color="fg.muted" fontSize="sm">
            Deployment {me.deployment}
          </Text>
        ) : undefined}
      </Flex>
      {here === undefined ? (
        <>{error ? <Problem error={error} retry={refresh} /> : <Loading what="the page" />}</>
      ) : (
        <SayContext.Provider value={say}>
          <HereContext.Provider value={here}>
            <Tabs me={here.me} />
            <Routes>
              <Route index element={<AgentsPage />} />
              <Route path="agents/:agentId" element={<AgentPage />} />
              <Route path="queues" element={<QueuesPage />} />
              <Route path="sentinel" element={<SentinelPage />} />
              <Route path="tokens" element={<TokensPage />} />
              <Route path="addresses" element={<AddressesPage />} />
              <Route path="site-access" element={<SiteAccessPage />} />
              <Route path="events" element={<EventsPage />} />
              <Route path="register" element={<RegisterPage />} />
              <Route path="*" element={<PageNotFound />} />
            </Routes>
          </HereContext.Provider>
        </SayContext.Provider>
      )}
      <News>{news}</News>
    </Box>
  );
}

function Tabs({ me }: { me: Me }) {
  const { pathname } = useLocation();
  const { home } = useSource();
  const [, part = ""] = pathname.replace(/\/+$/u, "").split(`${home}/`);
  const here = part === "" ? "agents" : part.split("/")[0];
  const tabs = [
    { of: "agents", to: home, name: "Agents", shown: true },
    { of: "queues", to: `${home}/queues`, name: "Queues", shown: true },
    { of: "sentinel", to: `${home}/sentinel`, name: "Sentinel", shown: true },
    { of: "tokens", to: `${home}/tokens`, name: "Tokens", shown: mayHere(me, "deployment.agentTokens.get") },
    { of: "addresses", to: `${home}/addresses`, name: "Allowed addresses", shown: mayHere(me, "deployment.allowList.get") },
    { of: "site-access", to: `${home}/site-access`, name: "Site access", shown: mayHere(me, "deployment.sites.get") },
    { of: "events", to: `${home}/events`, name: "Events", shown: me.may.includes("audit") },
    { of: "register", to: `${home}/register`, name: "Register an agent", shown: true },
  ];
  return <TabRow label="Remote Agents" tabs={tabs.map((tab) => ({ ...tab, current: tab.of === here }))} />;
}
