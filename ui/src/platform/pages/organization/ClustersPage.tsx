import { Button, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { ShownOnce } from "../../../parts/ShownOnce";
import { Nothing, Shown } from "../../../parts/states";
import type { ClusterCreated, ClusterView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { PageTop } from "../../parts/page";
import { AddCluster } from "./AddCluster";
import { InstallController, ControllerState } from "./controller";
import { usePlaces } from "./scopes";

/** Where Deployments run: the platform's own machine, and clusters whose controllers connect to the platform. */
export function ClustersPage() {
  const me = useMe();
  const say = useSay();
  const polled = usePolled<Page<ClusterView>>("/clusters?limit=1000", 10);
  const places = usePlaces();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState<ClusterCreated>();
  const columns: Column<ClusterView>[] = [
    {
      name: "Name",
      cell: (cluster) => (
        <Link asChild color="fg.info" fontWeight="semibold">
          <RouterLink to={cluster.name}>{cluster.name}</RouterLink>
        </Link>
      ),
    },
    { name: "Cluster ID", cell: (cluster) => <Text fontFamily="mono">{cluster.slug}</Text> },
    { name: "Driver", hideBelow: "md", cell: (cluster) => cluster.driver },
    { name: "Region", hideBelow: "lg", cell: (cluster) => cluster.region },
    {
      name: "Controller",
      cell: (cluster) => (
        <>
          <ControllerState cluster={cluster} />
          {cluster.controller?.last_beat_at ? (
            <Text color="fg.muted" fontSize="xs">
              {cluster.controller.version}, last seen <When at={cluster.controller.last_beat_at} />
            </Text>
          ) : undefined}
        </>
      ),
    },
    {
      name: "Address for agents",
      hideBelow: "lg",
      cell: (cluster) => (
        <Text fontFamily="mono" fontSize="xs">
          {cluster.agents_url}
        </Text>
      ),
    },
    {
      name: "Workspaces",
      hideBelow: "xl",
      cell: (cluster) =>
        cluster.workspaces.length === 0
          ? "all"
          : cluster.workspaces.map((id) => places.workspaces.find((each) => each.id === id)?.name ?? id).join(", "),
    },
    { name: "Deployments", hideBelow: "md", cell: (cluster) => cluster.deployments },
  ];
  return (
    <>
      <PageTop title="Clusters" help="A cluster is where Deployments run. Its controller connects to the platform; nothing connects to it.">
        {allows(me, "clusters.update") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setAdding(true)}>
            Add cluster
          </Button>
        ) : undefined}
      </PageTop>
      {made ? (
        <ShownOnce
          title={`Copy the token of cluster ${made.name} now.`}
          what="cluster token"
          value={made.token}
          onClose={() => setMade(undefined)}
        >
          <InstallController driver={made.driver} />
        </ShownOnce>
      ) : undefined}
      <Shown polled={polled} what="clusters">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No clusters">Add one: the page shows how its controller is installed.</Nothing>
          ) : (
            <DataTable label="Clusters" columns={columns} rows={page.items} id={(cluster) => cluster.id} />
          )
        }
      </Shown>
      {adding ? (
        <AddCluster
          onClose={() => setAdding(false)}
          onAdded={(cluster) => {
            setMade(cluster);
            say(`Cluster ${cluster.name} was added`);
            polled.refresh();
          }}
        />
      ) : undefined}
    </>
  );
}
