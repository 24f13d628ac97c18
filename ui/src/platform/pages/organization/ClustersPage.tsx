import { Alert, Button, Field, Input, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../data/types";
import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Nothing, Shown } from "../../../parts/states";
import type { ClusterCreated, ClusterView, NewCluster } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { Select } from "../../parts/Select";
import { PageTop } from "../../parts/page";
import { InstallController, ControllerState } from "./clusterParts";
import { RegionField } from "./RegionField";
import { usePlaces } from "./scopes";
import { ShownOnce } from "./ShownOnce";
import { WorkspacesField } from "./WorkspacesField";

/** Where Deployments run: the platform's own machine, and clusters whose controllers connect to the platform. */
export function ClustersPage() {
  const me = useMe();
  const say = useSay();
  const polled = usePolled<Page<ClusterView>>("/clusters?limit=1000", 10);
  const places = usePlaces();
  const [making, setMaking] = useState(false);
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
    { name: "Cluster id", cell: (cluster) => <Text fontFamily="mono">{cluster.slug}</Text> },
    { name: "Driver", hideBelow: "md", cell: (cluster) => cluster.driver },
    { name: "Region", hideBelow: "lg", cell: (cluster) => cluster.region },
    {
      name: "Controller",
      cell: (cluster) => (
        <>
          <ControllerState cluster={cluster} />
          {cluster.controller?.last_beat_at ? (
            <Text color="fg.muted" fontSize="xs">
              {cluster.controller.version}, heard <When at={cluster.controller.last_beat_at} />
            </Text>
          ) : undefined}
        </>
      ),
    },
    {
      name: "Agents' address",
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
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
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
      {making ? (
        <AddCluster
          onClose={() => setMaking(false)}
          onMade={(cluster) => {
            setMade(cluster);
            say(`Cluster ${cluster.name} was added`);
            polled.refresh();
          }}
        />
      ) : undefined}
    </>
  );
}

function AddCluster({ onClose, onMade }: { onClose: () => void; onMade: (cluster: ClusterCreated) => void }) {
  const { call } = useSource();
  const places = usePlaces();
  const [name, setName] = useState("");
  const [driver, setDriver] = useState<"kubernetes" | "local">("kubernetes");
  const [region, setRegion] = useState("");
  const [agentsHost, setAgentsHost] = useState("{id}.external.");
  const [peopleDomain, setPeopleDomain] = useState("{id}.");
  const [scheme, setScheme] = useState<"https" | "http">("https");
  const [workspaces, setWorkspaces] = useState<string[]>([]);
  return (
    <FormDialog
      title="Add cluster"
      open
      onClose={onClose}
      submit="Add"
      onSubmit={async () => {
        const body: NewCluster = {
          name: name.trim(),
          driver,
          region: region.trim(),
          scheme,
          agents_host: agentsHost.trim(),
          people_domain: peopleDomain.trim(),
          workspaces,
        };
        onMade(await call<ClusterCreated>("/clusters", { method: "POST", body }));
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input
          required
          maxLength={50}
          pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Field.HelperText>Lower-case letters, digits and hyphens</Field.HelperText>
      </Field.Root>
      <Select
        label="Driver"
        value={driver}
        set={(value) => setDriver(value === "local" ? "local" : "kubernetes")}
        options={[
          ["kubernetes", "Kubernetes: a namespace for each Deployment"],
          ["local", "Local: processes on one machine"],
        ]}
      />
      <RegionField region={region} set={setRegion} />
      <Field.Root required>
        <Field.Label>Agents' host</Field.Label>
        <Input required maxLength={180} value={agentsHost} onChange={(event) => setAgentsHost(event.target.value)} />
        <Field.HelperText>
          Agents reach the cluster here. {"{id}"} is replaced by the cluster id: {"{id}"}.external.example.com
        </Field.HelperText>
      </Field.Root>
      <Field.Root required>
        <Field.Label>People's domain</Field.Label>
        <Input required maxLength={180} value={peopleDomain} onChange={(event) => setPeopleDomain(event.target.value)} />
        <Field.HelperText>The Airflow of a Deployment is at a name below it: {"{id}"}.airflow.example.com</Field.HelperText>
      </Field.Root>
      <Select
        label="Addresses begin with"
        value={scheme}
        set={(value) => setScheme(value === "http" ? "http" : "https")}
        options={[
          ["https", "https"],
          ["http", "http (trials on one machine)"],
        ]}
      />
      {scheme === "http" ? (
        <Alert.Root status="warning">
          <Alert.Indicator />
          <Alert.Title>Tokens of agents would go over the network in clear.</Alert.Title>
        </Alert.Root>
      ) : undefined}
      <WorkspacesField all={places.workspaces} chosen={workspaces} onChosen={setWorkspaces} />
    </FormDialog>
  );
}
