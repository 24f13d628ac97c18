import { Alert, Button, DataList, Link, VStack } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";
import { Link as RouterLink, useParams } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { usePolled } from "../../data/usePolled";
import { spaced } from "../../data/words";
import { When } from "../../parts/marks";
import { useSay } from "../../parts/news";
import { Problem, Shown } from "../../parts/states";
import type { OperationView } from "../../../generated/platform";
import { ofPlatform } from "../data/platform";
import { OperationBadge } from "../parts/marks";
import { lasted } from "../parts/OperationsTable";
import { PageTop, Panel } from "../parts/page";
import { Cancel, Cancelling } from "../parts/Cancel";
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
                <Fact name="Begun">
                  <When at={found.created_at} />
                  {found.created_by ? `, by ${found.created_by}` : ""}
                </Fact>
                {found.cancelled_at ? (
                  <Fact name="Cancelled">
                    <When at={found.cancelled_at} />
                    {`, by ${found.cancelled_by}`}
                  </Fact>
                ) : undefined}
                <Fact name="Took">{lasted(found) || "not begun"}</Fact>
              </DataList.Root>
            </Panel>
          </VStack>
        </>
      )}
    </Shown>
  );
}

export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel minW="9em">{name}</DataList.ItemLabel>
      <DataList.ItemValue display="block" wordBreak="break-word">
        {children}
      </DataList.ItemValue>
    </DataList.Item>
  );
}

export function Failed({ operation }: { operation: OperationView }) {
  const cancelled = operation.cancelled_at !== null && operation.state !== "failed";
  return operation.error ? (
    <Alert.Root status={cancelled ? "warning" : "error"}>
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{cancelled ? "The operation does not end as it was asked for" : `${spaced(operation.kind)} failed`}</Alert.Title>
        <Alert.Description whiteSpace="pre-wrap" overflowWrap="anywhere">
          {operation.error}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  ) : undefined;
}

/** Begins a failed operation again, at the step that failed. */
export function Retry({ operation, done }: { operation: OperationView; done: () => void }) {
  const say = useSay();
  const [error, setError] = useState<Refused>();
  if (operation.state !== "failed" || "undone" in operation.facts) {
    return undefined; // what was undone is asked for again
  }
  const retry = async () => {
    setError(undefined);
    try {
      await ofPlatform.call<OperationView>(`/operations/${operation.id}/retry`, { method: "POST" });
      say(`${operation.kind} goes on`);
      done();
    } catch (problem) {
      setError(asRefused(problem));
    }
  };
  return (
    <>
      {error ? <Problem error={error} /> : undefined}
      <Button size="sm" colorPalette="brand" onClick={() => void retry()}>
        Try again
      </Button>
    </>
  );
}
