import { Navigate, Route, Routes, useLocation } from "react-router-dom";

import { Nothing } from "../../../parts/states";
import { allowsSomewhere, useMe } from "../../data/permissions";
import { PageTop, TabRow } from "../../parts/page";
import { ApiTokensPage } from "./ApiTokensPage";
import { AuditPage } from "./AuditPage";
import { ClusterPage } from "./ClusterPage";
import { ClustersPage } from "./ClustersPage";

const BASE = "/organization";

/** What belongs to no single Deployment. */
export function OrganizationPage() {
  const me = useMe();
  const { pathname } = useLocation();
  const at = pathname.split("/")[2] ?? "";
  const tabs = [
    { of: "clusters", name: "Clusters", shown: allowsSomewhere(me, "clusters.get") },
    { of: "api-tokens", name: "API tokens", shown: allowsSomewhere(me, "apiTokens.get") },
    { of: "audit", name: "Audit", shown: allowsSomewhere(me, "audit.get") },
  ].map((tab) => ({ ...tab, to: `${BASE}/${tab.of}`, current: tab.of === at }));
  const first = tabs.find((tab) => tab.shown);
  return (
    <>
      <PageTop title={me.organization} />
      <TabRow label="Organization" tabs={tabs} />
      <Routes>
        <Route index element={first ? <Navigate replace to={first.to} /> : <Nothing title="Your role shows nothing here" />} />
        <Route path="clusters" element={<ClustersPage />} />
        <Route path="clusters/:cluster" element={<ClusterPage />} />
        <Route path="api-tokens" element={<ApiTokensPage />} />
        <Route path="audit" element={<AuditPage />} />
        <Route path="*" element={<Nothing title="Page not found" />} />
      </Routes>
    </>
  );
}
