// What a network team and an operator need to know of a cluster, a panel for each.
import { Box, Code, Text } from "@chakra-ui/react";

import { moment } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { DataTable } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { RowButton } from "../../../parts/RowButton";
import type { ClusterView, WorkspaceView } from "../../../../generated/platform";
import { Facts } from "../../parts/Facts";
import { Panel } from "../../parts/page";
import { ControllerState } from "./controller";

type OfCluster = { cluster: ClusterView };

export function ClusterDetails({ cluster, workspaces }: OfCluster & { workspaces: WorkspaceView[] }) {
  const host = new URL(cluster.agents_url).host;
  return (
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
          ["Workspaces", allowed(cluster, workspaces)],
          ["Added", moment(cluster.created_at)],
        ]}
      />
    </Panel>
  );
}

const allowed = (cluster: ClusterView, workspaces: WorkspaceView[]) =>
  cluster.workspaces.length === 0
    ? "all"
    : cluster.workspaces.map((id) => workspaces.find((each) => each.id === id)?.name ?? id).join(", ");

export function ConnectionCheck({ cluster }: OfCluster) {
  return (
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
  );
}

type ControllerProps = OfCluster & { mayChange: boolean; rotate: () => void; revoke: () => void };

export function ControllerPanel({ cluster, mayChange, rotate, revoke }: ControllerProps) {
  const { controller } = cluster;
  return (
    <Panel
      title="Controller"
      action={
        mayChange && controller !== null ? (
          <RowButton onClick={rotate}>Rotate token</RowButton>
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
            <Box mt={3}>
              <RowButton dangerous onClick={revoke}>
                Revoke token
              </RowButton>
            </Box>
          ) : undefined}
        </>
      )}
    </Panel>
  );
}

export function DnsRecords({ cluster }: OfCluster) {
  return (
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
  );
}
