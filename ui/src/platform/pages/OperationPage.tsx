import { DataList, Link, VStack } from "@chakra-ui/react";
import { Link as RouterLink, useParams } from "react-router-dom";

import { usePolled } from "../../data/usePolled";
import { spaced } from "../../data/words";
import { When } from "../../parts/marks";
import { Shown } from "../../parts/states";
import type { OperationView } from "../../../generated/platform";
import { Cancel, Cancelling } from "../parts/Cancel";
import { Fact } from "../parts/Fact";
import { Failed, Retry } from "../parts/failures";
import { OperationBadge } from "../parts/marks";
import { lasted } from "../parts/OperationsTable";
import { PageTop, Panel } from "../parts/page";
import { Preflight } from "../parts/Preflight";
import { Steps } from "../parts/Steps";

export function OperationPage() {
  const { operation = "" } = useParams();
  const polled = usePolled<OperationView>(`/operations/${operation}`, 1);
  return (
    <Shown polled={polled} what="the operation">
      {(found) => (
        <>
          <PageTop
            title={`${spaced(found.kind)} ${found.deployment_name}`}
            above={[{ name: "Operations", to: "/operations" }]}
            mark={<OperationBadge state={found.state} />}
          >
            <Cancel operation={found} done={polled.refresh} />
            <Retry operation={found} done={polled.refresh} />
          </PageTop>
          <VStack align="stretch" gap={4} maxW="56em">
            <Failed operation={found} />
            <Cancelling operation={found} />
            <Panel title="Steps">
              <Steps operation={found} />
            </Panel>
            <Preflight operation={found} />
            <Panel title="Details">
              <DataList.Root orientation="horizontal" size="sm">
                <Fact name="Deployment">
                  <Link asChild color="fg.info">
                    <RouterLink to={`/deployments/${found.deployment}`}>{found.deployment_name}</RouterLink>
                  </Link>
                </Fact>
                <Fact name="Created">
                  <When at={found.created_at} />
                  {found.created_by ? `, by ${found.created_by}` : ""}
                </Fact>
                {found.cancelled_at ? (
                  <Fact name="Cancelled">
                    <When at={found.cancelled_at} />
                    {`, by ${found.cancelled_by}`}
                  </Fact>
                ) : undefined}
                <Fact name="Duration">{lasted(found) || "not started"}</Fact>
              </DataList.Root>
            </Panel>
          </VStack>
        </>
      )}
    </Shown>
  );
}
