// What a network team and an operator need to know of a cluster, a panel for each.
import { Box, Code, Text } from "@chakra-ui/react";

import { moment } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { DataTable } from "../../../parts/DataTable";
import { Facts } from "../../../parts/Facts";
import { When } from "../../../parts/marks";
import { RowButton } from "../../../parts/RowButton";
import type { ClusterView, WorkspaceView } from "../../../../generated/platform";
import { Panel } from "../../parts/page";
import { ControllerState } from "./controller";

type OfCluster = { cluster: ClusterView };

export function ClusterDetails({ cluster, workspaces }: OfCluster & { workspaces: WorkspaceView[] }) {
  const host = new URL(cluster.agents_url).host;
  return (
    <Panel title="Cluster details">
      <Facts
        facts={[
          ["Cluster ID", <Code>{cluster.slug}</Code>],
          ["Host for agents", <Code>{host}</Code>],
          ["Address of a Deployment, for agents", <Code wordBreak="break-all">{`${cluster.agents_url}/<slug>`}</Code>],
          ["Address of a Deployment, for people", <Code wordBreak="break-all">{cluster.people_url.replace("{slug}", "<slug>")}</Code>],
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
    <Panel title="Check the connection">
      <Text mb={2}>Run this command in the network of your agents:</Text>
      <Copyable what="check command" text={cluster.check || `curl ${cluster.agents_url}/`} />
      <Text mt={3} mb={2}>
        Expected answer:
      </Text>
      <Code px={2} py={1}>
        404 page not found
      </Code>
      <Text mt={3} color="fg.muted">
        The gateway sends this answer, so name, network and certificate are right. Another answer comes from a proxy or another server between:
        check the route. Without an answer, check the firewall and the DNS records.
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
        <Text>This cluster has no controller: the platform runs its Deployments on its own machine.</Text>
      ) : (
        <>
          <Facts
            facts={[
              ["State", <ControllerState cluster={cluster} />],
              ["Version", controller.version || "unknown"],
              ["Last beat", <When at={controller.last_beat_at} />],
              ["Token", cluster.token_prefix ? <Code>{cluster.token_prefix}…</Code> : "none"],
              ...Object.entries(controller.facts).map(([name, value]): [string, string] => [name, value]),
              ["Sizes", controller.sizes.join(", ") || "default only"],
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
          <Text mb={3}>Point these names at the cluster's gateway. A private zone that only your networks see is enough.</Text>
          <DataTable
            label="DNS records of the cluster"
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
