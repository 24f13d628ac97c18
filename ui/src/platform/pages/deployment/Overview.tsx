import { Box, DataList, Link, SimpleGrid, Text, VStack } from "@chakra-ui/react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { bytes } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { When } from "../../../parts/marks";
import type { OperationView } from "../../../../generated/platform";
import { answers, type OfDeployment } from "../../data/deployments";
import { referenceOf } from "../../data/platform";
import { Cancel, Cancelling } from "../../parts/Cancel";
import { Fact } from "../../parts/Fact";
import { Failed, Retry } from "../../parts/failures";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { Steps } from "../../parts/Steps";
import { AgentsByQueue } from "./AgentsByQueue";
import { Conditions } from "./Conditions";
import { RegisterLink } from "./RegisterLink";

/** How the Deployment is, why, what is being done with it, and how to reach it. */
export function Overview({ deployment, done }: OfDeployment) {
  return (
    <SimpleGrid columns={{ base: 1, xl: 3 }} gap={4} alignItems="start">
      <VStack align="stretch" gap={4} gridColumn={{ xl: "span 2" }} minW={0}>
        <Now deployment={deployment} done={done} />
        <Panel title="Health">
          <Conditions conditions={deployment.conditions} />
        </Panel>
        {answers(deployment) ? <AgentsByQueue deployment={deployment} /> : undefined}
      </VStack>
      <VStack align="stretch" gap={4} minW={0}>
        <Panel title="Addresses">
          <Text mb={1}>Address for people (Airflow)</Text>
          <Copyable text={deployment.people_url} what="address of Airflow" />
          <Text mt={3} mb={1}>
            Address for agents
          </Text>
          <Copyable text={deployment.agent_url} what="address for agents" />
          <Text color="fg.muted" fontSize="xs" mt={2}>
            An agent needs this address and a token. <RegisterLink deployment={deployment} />
          </Text>
        </Panel>
        <Panel title="Details">
          <DataList.Root orientation="horizontal" size="sm">
            <Fact name="Workspace">{deployment.workspace_name}</Fact>
            <Fact name="Cluster">{deployment.cluster_name}</Fact>
            {deployment.version ? <Fact name="Airflow">{deployment.version}</Fact> : undefined}
            <Fact name="ID">
              <code>{deployment.slug}</code>
            </Fact>
            {deployment.contact_emails.length ? (
              <Fact name="Contacts">
                <VStack align="start" gap={0}>
                  {deployment.contact_emails.map((each) => (
                    <Link key={each} href={`mailto:${encodeURIComponent(each).replace("%40", "@")}`} color="fg.info" wordBreak="break-all">
                      {each}
                    </Link>
                  ))}
                </VStack>
              </Fact>
            ) : undefined}
            {deployment.workload?.database_bytes == null ? undefined : <Fact name="Metadata database">{bytes(deployment.workload.database_bytes)}</Fact>}
            <Fact name="Data policy">
              <code>{deployment.policy}</code>
            </Fact>
            <Fact name="Deletion protection">{deployment.deletion_protection ? "on" : "off"}</Fact>
            <Fact name="Created">
              <When at={deployment.created_at} />
              {deployment.created_by ? `, by ${deployment.created_by}` : ""}
            </Fact>
            <Fact name="Changed">
              <When at={deployment.updated_at} />
              {deployment.updated_by ? `, by ${deployment.updated_by}` : ""}
            </Fact>
            <Fact name="Configuration">
              {deployment.observed_revision === deployment.revision
                ? `revision ${deployment.revision}, applied`
                : `revision ${deployment.revision}; ${deployment.observed_revision} is applied`}
            </Fact>
          </DataList.Root>
        </Panel>
      </VStack>
    </SimpleGrid>
  );
}

/** The operation that runs, or the last one where it failed. */
function Now({ deployment, done }: OfDeployment) {
  const one = usePolled<OperationView>(deployment.operation === null ? undefined : `/operations/${deployment.operation}`, 1);
  const last = usePolled<Page<OperationView>>(
    ["failed", "purge_failed"].includes(deployment.phase) ? `/operations?deployment=${referenceOf(deployment)}&limit=1` : undefined,
    5,
  );
  const operation = one.data ?? last.data?.items[0];
  const again = () => {
    one.refresh();
    done();
  };
  if (operation === undefined || operation.state === "succeeded") {
    return undefined;
  }
  return (
    <Panel title={`Operation: ${operation.kind}`} action={<OperationBadge state={operation.state} />}>
      <VStack align="stretch" gap={3}>
        <Failed operation={operation} />
        <Cancelling operation={operation} />
        <Steps operation={operation} />
        <Box>
          <Cancel operation={operation} done={again} />
          <Retry operation={operation} done={again} />
        </Box>
      </VStack>
    </Panel>
  );
}
