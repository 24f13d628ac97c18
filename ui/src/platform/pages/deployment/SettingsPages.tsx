import { Text, VStack } from "@chakra-ui/react";
import { Route, Routes, useLocation } from "react-router-dom";

import { PageNotFound } from "../../../parts/states";
import { TabRow } from "../../../parts/TabRow";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { referenceOf } from "../../data/platform";
import { HibernationPage } from "../hibernation/HibernationPage";
import { MaintenancePage } from "../maintenance/MaintenancePage";
import { AgentPages } from "./AgentPages";
import { DangerPage } from "./DangerPage";
import { GeneralPage } from "./GeneralPage";
import { MoveToWorkspace } from "./MoveToWorkspace";
import { VersionPage } from "./VersionPage";

export function SettingsPages({ deployment, done }: OfDeployment) {
  const me = useMe();
  const { pathname } = useLocation();
  const base = `/deployments/${referenceOf(deployment)}/settings`;
  const at = pathname.replace(/\/+$/u, "").slice(base.length + 1) || "general";
  const may = (permission: string) => allows(me, permission, { workspace: deployment.workspace, deployment: deployment.id });
  const tabs = [
    { of: "general", to: base, name: "General" },
    { of: "hibernation", to: `${base}/hibernation`, name: "Hibernation" },
    { of: "maintenance", to: `${base}/maintenance`, name: "Maintenance", shown: may("deployment.config.get") },
    { of: "version", to: `${base}/version`, name: "Version" },
    { of: "advanced", to: `${base}/advanced`, name: "Allowed addresses", shown: may("deployment.allowList.get") },
    { of: "danger", to: `${base}/danger`, name: "Danger zone", shown: may("deployment.delete") },
  ].map((tab) => ({ ...tab, current: tab.of === at }));
  return (
    <>
      <TabRow label="Settings" tabs={tabs} small />
      <Routes>
        <Route
          index
          element={
            <VStack align="stretch" gap={8} maxW="48em">
              {/* A move makes a new revision: the form begins with it. */}
              <GeneralPage key={deployment.workspace} deployment={deployment} done={done} />
              <MoveToWorkspace deployment={deployment} done={done} />
            </VStack>
          }
        />
        <Route path="hibernation" element={<HibernationPage deployment={deployment} done={done} />} />
        <Route path="maintenance" element={<MaintenancePage deployment={deployment} done={done} />} />
        <Route path="version" element={<VersionPage deployment={deployment} done={done} />} />
        <Route
          path="advanced"
          element={
            <>
              <Text as="h2" fontWeight="semibold" mb={2}>
                Allowed addresses
              </Text>
              <AgentPages deployment={deployment} part="addresses" />
            </>
          }
        />
        <Route path="danger" element={<DangerPage deployment={deployment} done={done} />} />
        <Route path="*" element={<PageNotFound />} />
      </Routes>
    </>
  );
}
