import { Button, SimpleGrid } from "@chakra-ui/react";
import { useState } from "react";
import { useNavigate, useParams } from "react-router-dom";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { useSay } from "../../../parts/news";
import { ShownOnce } from "../../../parts/ShownOnce";
import { Shown } from "../../../parts/states";
import type { ClusterTokenCreated, ClusterView, RotateClusterToken } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { PageTop } from "../../parts/page";
import { ClusterDetails, ConnectionCheck, ControllerPanel, DnsRecords } from "./clusterPanels";
import { ControllerAlerts, ControllerState, InstallController } from "./controller";
import { EditCluster } from "./EditCluster";
import { usePlaces } from "./scopes";

/** Cluster details: what a network team and an operator need to know of a cluster. */
export function ClusterPage() {
  const { cluster: name = "" } = useParams();
  const polled = usePolled<ClusterView>(`/clusters/${name}`, 10);
  return (
    <Shown polled={polled} what="the cluster">
      {(cluster) => <Details cluster={cluster} refresh={polled.refresh} />}
    </Shown>
  );
}

function Details({ cluster, refresh }: { cluster: ClusterView; refresh: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const navigate = useNavigate();
  const places = usePlaces();
  const [changing, setChanging] = useState(false);
  const [action, setAction] = useState<Action>();
  const [token, setToken] = useState("");
  const mayChange = allows(me, "clusters.update");

  const rotate: Action = {
    title: `Rotate the token of cluster ${cluster.name}`,
    explained: "The token gets a new value, which is shown once. The old value stays valid for the minutes you choose.",
    submit: "Rotate",
    number: { label: "Minutes the old value stays valid", value: 60, most: 10_080 },
    run: async (reason, minutes) => {
      const body: RotateClusterToken = { overlap_minutes: minutes };
      const made = await call<ClusterTokenCreated>(`/clusters/${cluster.id}/token/rotate`, { method: "POST", body, query: { reason } });
      setToken(made.token);
      say(`The token of cluster ${cluster.name} has a new value`);
      refresh();
    },
  };
  const revoke: Action = {
    title: `Revoke the token of cluster ${cluster.name}`,
    explained: "The platform refuses its controller from then on. Deployments of the cluster go on running.",
    submit: "Revoke",
    dangerous: true,
    run: async (reason) => {
      await call(`/clusters/${cluster.id}/token`, { method: "DELETE", query: { reason } });
      say(`The token of cluster ${cluster.name} was revoked`);
      refresh();
    },
  };
  const remove: Action = {
    title: `Delete cluster ${cluster.name}`,
    explained: "A cluster that has Deployments is not deleted. Its token ends with it.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/clusters/${cluster.id}`, { method: "DELETE", query: { reason }, headers: ifMatch(cluster.revision) });
      say(`Cluster ${cluster.name} was deleted`);
      void navigate("/organization/clusters");
    },
  };
  return (
    <>
      <PageTop title={cluster.name} above={[{ name: "Clusters", to: "/organization/clusters" }]} mark={<ControllerState cluster={cluster} />}>
        {mayChange ? (
          <>
            <Button size="sm" variant="outline" onClick={() => setChanging(true)}>
              Edit
            </Button>
            {cluster.controller === null ? undefined : (
              <Button size="sm" variant="outline" colorPalette="red" onClick={() => setAction(remove)}>
                Delete
              </Button>
            )}
          </>
        ) : undefined}
      </PageTop>
      {token ? (
        <ShownOnce title={`Copy the token of cluster ${cluster.name} now.`} what="cluster token" value={token} onClose={() => setToken("")}>
          <InstallController driver={cluster.driver} />
        </ShownOnce>
      ) : undefined}
      <ControllerAlerts cluster={cluster} hidesInstallation={token !== ""} />
      <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
        <ClusterDetails cluster={cluster} workspaces={places.workspaces} />
        <ConnectionCheck cluster={cluster} />
        <ControllerPanel cluster={cluster} mayChange={mayChange} rotate={() => setAction(rotate)} revoke={() => setAction(revoke)} />
        <DnsRecords cluster={cluster} />
      </SimpleGrid>
      {changing ? (
        <EditCluster
          cluster={cluster}
          onClose={() => setChanging(false)}
          onDone={(changed) => {
            say(`Cluster ${changed.name} was changed`);
            if (changed.name === cluster.name) {
              refresh();
            } else {
              void navigate(`/organization/clusters/${changed.name}`, { replace: true });
            }
          }}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}
