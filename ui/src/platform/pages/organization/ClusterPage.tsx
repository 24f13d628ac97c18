import { Box, DataList, Heading, Text, VStack } from "@chakra-ui/react";
import { useParams } from "react-router-dom";

import { usePolled } from "../../../data/usePolled";
import { Copyable } from "../../../parts/Copyable";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { Shown } from "../../../parts/states";
import type { ClusterView } from "../../../../generated/platform";
import { Panel, useTitle } from "../../parts/page";
import { Fact } from "../OperationPage";

/** Cluster details: what a network team has to know, and how to check it. */
export function ClusterPage() {
  const { cluster = "" } = useParams();
  const polled = usePolled<ClusterView>(`/clusters/${cluster}`, 15);
  useTitle(`Cluster ${cluster}`);
  return (
    <Shown polled={polled} what="the cluster">
      {(found) => (
        <VStack align="stretch" gap={4} maxW="56em">
          <Heading as="h2" size="lg">
            Cluster {found.name}
          </Heading>
          <Panel title="Cluster details">
            <DataList.Root orientation="horizontal" size="sm">
              <Fact name="Cluster id">
                <code>{found.slug}</code>
              </Fact>
              <Fact name="Driver">{found.driver}</Fact>
              <Fact name="Gateway">Caddy</Fact>
              <Fact name="Agents' host">
                <code>{new URL(found.agents_url).host}</code>
              </Fact>
              <Fact name="People's hosts">
                <code>{hostOf(found.people_url)}</code>
              </Fact>
              <Fact name="Added">
                <When at={found.created_at} />
              </Fact>
            </DataList.Root>
          </Panel>
          <Panel title="Check the way of agents">
            <Text mb={2}>From a machine at the site, with its proxy and its certificates:</Text>
            <Copyable text={`curl -i ${found.agents_url}/`} what="check" />
            <Text mt={3}>
              The way is open when the answer has the status 404 and this text. It is the gateway's own answer: the host serves agents and nothing else.
            </Text>
            <Box mt={2}>
              <Copyable text="404 page not found" what="expected answer" />
            </Box>
          </Panel>
          <Panel title="DNS records">
            <Text mb={2}>Both names lead to the gateway of the cluster. A site that comes in by a private endpoint has the first one in a private zone.</Text>
            <DataTable label="DNS records" columns={RECORDS} rows={records(found)} id={(each) => each.name} />
          </Panel>
        </VStack>
      )}
    </Shown>
  );
}

// `{slug}` is no host name for a browser, so the name is cut out of the text.
const hostOf = (url: string) => url.replace(/^https?:\/\//u, "").replace("{slug}", "<Deployment>");

type Record = { name: string; type: string; value: string; for: string };

const withoutPort = (host: string) => host.replace(/:\d+$/u, "");

const records = (cluster: ClusterView): Record[] => [
  { name: withoutPort(new URL(cluster.agents_url).host), type: "A", value: "address of the gateway", for: "agents" },
  { name: withoutPort(hostOf(cluster.people_url).replace("<Deployment>", "*")), type: "A", value: "address of the gateway", for: "people" },
];

const RECORDS: Column<Record>[] = [
  { name: "Name", cell: (each) => <code>{each.name}</code> },
  { name: "Type", cell: (each) => each.type },
  { name: "Value", cell: (each) => each.value },
  { name: "For", cell: (each) => each.for },
];
