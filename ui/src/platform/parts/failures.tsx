// Why an operation failed, and the way to begin it again.
import { Alert, Button } from "@chakra-ui/react";
import { useState } from "react";

import { asRefused, type Refused } from "../../data/api";
import { spaced } from "../../data/words";
import { useSay } from "../../parts/news";
import { Problem } from "../../parts/states";
import type { OperationView } from "../../../generated/platform";
import { ofPlatform } from "../data/platform";

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
