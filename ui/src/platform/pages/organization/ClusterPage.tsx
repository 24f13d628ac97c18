import { Alert, Button, Code, Field, Input, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";
import { useNavigate, useParams } from "react-router-dom";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { moment } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { DataTable } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { ChangeCluster, ClusterTokenCreated, ClusterView, RotateClusterToken } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { PageTop, Panel } from "../../parts/page";
import { ControllerState, InstallController } from "./clusterParts";
import { Facts } from "./Facts";
import { RegionField } from "./RegionField";
import { usePlaces } from "./scopes";
import { ShownOnce } from "./ShownOnce";
import { WorkspacesField } from "./WorkspacesField";

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
  const { controller } = cluster;
  const host = new URL(cluster.agents_url).host;

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
            {controller === null ? undefined : (
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
      {controller?.state === "lost" ? (
        <Alert.Root status="error" mb={4}>
          <Alert.Indicator />
          <Alert.Title>
            The controller has not been heard for more than a minute. Deployments go on; nothing of them is changed or observed. Look at its log in
            the cluster.
          </Alert.Title>
        </Alert.Root>
      ) : undefined}
      {controller?.state === "never" && !token ? (
        <Alert.Root status="info" mb={4}>
          <Alert.Indicator />
          <Alert.Content>
            <Alert.Title>The controller has not connected yet</Alert.Title>
            <Alert.Description w="100%">
              <InstallController driver={cluster.driver} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      ) : undefined}
      <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
        <Panel title="Cluster details">
          <Facts
            facts={[
              ["Cluster id", <Code>{cluster.slug}</Code>],
              ["Agents' host", <Code>{host}</Code>],
              ["Agents' address of a Deployment", <Code wordBreak="break-all">{`${cluster.agents_url}/<slug>`}</Code>],
              ["Airflow's address of a Deployment", <Code wordBreak="break-all">{cluster.people_url.replace("{slug}", "<slug>")}</Code>],
              ["Driver", cluster.driver],
              ...(cluster.region ? [["Region", cluster.region] satisfies [string, string]] : []),
              ["Deployments", String(cluster.deployments)],
              ["Workspaces", allowed(cluster, places.workspaces)],
              ["Added", moment(cluster.created_at)],
            ]}
          />
        </Panel>
        <Panel title="Check the way of agents">
          <Text mb={2}>From the network of your agents, ask the gateway:</Text>
          <Copyable what="check command" text={cluster.check || `curl ${cluster.agents_url}/`} />
          <Text mt={3} mb={2}>
            The answer that is expected:
          </Text>
          <Code px={2} py={1}>
            404 page not found
          </Code>
          <Text mt={3} color="fg.muted">
            It comes from the gateway, so name, network and certificate are right. Any other answer comes from a proxy or another server on the way;
            no answer means that a firewall or the name stops it.
          </Text>
        </Panel>
        <Panel
          title="Controller"
          action={
            mayChange && controller !== null ? (
              <Button size="xs" variant="outline" onClick={() => setAction(rotate)}>
                Rotate token
              </Button>
            ) : undefined
          }
        >
          {controller === null ? (
            <Text>The platform itself does the work of this cluster, on its own machine.</Text>
          ) : (
            <>
              <Facts
                facts={[
                  ["State", <ControllerState cluster={cluster} />],
                  ["Version", controller.version || "unknown"],
                  ["Last beat", <When at={controller.last_beat_at} />],
                  ["Token", cluster.token_prefix ? <Code>{cluster.token_prefix}…</Code> : "none"],
                  ...Object.entries(controller.facts).map(([name, value]): [string, string] => [name, value]),
                  ["Sizes", controller.sizes.join(", ") || "the usual one alone"],
                ]}
              />
              {mayChange && cluster.token_prefix ? (
                <Button mt={3} size="xs" variant="outline" colorPalette="red" onClick={() => setAction(revoke)}>
                  Revoke token
                </Button>
              ) : undefined}
            </>
          )}
        </Panel>
        <Panel title="DNS records">
          {cluster.dns_records.length === 0 ? (
            <Text color="fg.muted">This cluster's addresses need no record.</Text>
          ) : (
            <>
              <Text mb={3}>Lead these names to the cluster's gateway. A private zone that only your networks see is enough.</Text>
              <DataTable
                label="Names to lead to the gateway"
                columns={[
                  { name: "Type", cell: () => "A or CNAME" },
                  { name: "Name", cell: (record) => <Text fontFamily="mono">{record.name}</Text> },
                  { name: "Used by", cell: (record) => record.purpose },
                ]}
                rows={cluster.dns_records}
                id={(record) => record.name}
              />
            </>
          )}
        </Panel>
      </SimpleGrid>
      {changing ? (
        <ChangeForm
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

const allowed = (cluster: ClusterView, workspaces: { id: string; name: string }[]) =>
  cluster.workspaces.length === 0
    ? "all"
    : cluster.workspaces.map((id) => workspaces.find((each) => each.id === id)?.name ?? id).join(", ");

function ChangeForm({
  cluster,
  onClose,
  onDone,
}: {
  cluster: ClusterView;
  onClose: () => void;
  onDone: (cluster: ClusterView) => void;
}) {
  const { call } = useSource();
  const places = usePlaces();
  const [name, setName] = useState(cluster.name);
  const [region, setRegion] = useState(cluster.region);
  const [workspaces, setWorkspaces] = useState(cluster.workspaces);
  return (
    <FormDialog
      title={`Edit cluster ${cluster.name}`}
      open
      onClose={onClose}
      submit="Save"
      onSubmit={async () => {
        const body: ChangeCluster = { name: name.trim(), region: region.trim(), workspaces };
        onDone(await call<ClusterView>(`/clusters/${cluster.id}`, { method: "PATCH", body, headers: ifMatch(cluster.revision) }));
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
        <Field.HelperText>The cluster id and the addresses stay.</Field.HelperText>
      </Field.Root>
      <RegionField region={region} set={setRegion} />
      <WorkspacesField all={places.workspaces} chosen={workspaces} onChosen={setWorkspaces} />
    </FormDialog>
  );
}
