import { Alert, Button } from "@chakra-ui/react";
import { useState } from "react";

import { spaced } from "../../data/words";
import { ReasonDialog, type Action } from "../../parts/dialogs";
import { useSay } from "../../parts/news";
import type { OperationView } from "../../../generated/platform";
import { allows, useMe } from "../data/permissions";
import { ofPlatform } from "../data/platform";

/** Ends an operation between two steps, where it may be cancelled. */
export function Cancel({ operation, done }: { operation: OperationView; done: () => void }) {
  const me = useMe();
  const say = useSay();
  const [action, setAction] = useState<Action>();
  const target = { deployment: operation.deployment, ...(operation.workspace ? { workspace: operation.workspace } : {}) };
  if (!operation.may_be_cancelled || !allows(me, NEEDED[operation.kind] ?? "deployment.upgrade", target)) {
    return undefined;
  }
  const cancel: Action = {
    title: `Cancel the operation “${spaced(operation.kind)} ${operation.deployment_name}”`,
    explained: `The step that runs ends first. ${CONSEQUENCES[operation.kind] ?? "Then nothing more is done."}`,
    submit: "Cancel the operation",
    close: "Let it go on",
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call<OperationView>(`/operations/${operation.id}/cancel`, { method: "POST", query: { reason } });
      say("The operation ends after its step");
      done();
    },
  };
  return (
    <>
      <Button size="sm" variant="outline" colorPalette="red" onClick={() => setAction(cancel)}>
        Cancel
      </Button>
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

const NEEDED: Record<string, string> = {
  create: "deployment.create",
  update: "deployment.config.update",
  restore: "deployment.delete",
  hibernate: "deployment.hibernate",
  wake: "deployment.hibernate",
};

const HALF = "What has begun is not undone: the Deployment is then failed, and its operation names the step. Ask again for what it shall be.";

const CONSEQUENCES: Record<string, string> = {
  create: "Then all that was made is erased, and the name is free again.",
  hibernate: "Then it is undone: the Deployment runs again, and its schedules do not put it to sleep before their next moment.",
  upgrade: "Then it is undone: the backup is put back, with the version before. An upgrade whose route is open again goes on.",
  rollback: "Then it is undone. A rollback that has stopped the Deployment goes on.",
  update: HALF,
  restore: HALF,
  wake: HALF,
  backup: "Then no backup is made. The Deployment goes on as it is.",
  clean: "Rows that were deleted stay deleted. The Deployment goes on as it is.",
  preflight: "The Deployment goes on as it is.",
};

/** That an operation was asked to end, while it has not ended. */
export function Cancelling({ operation }: { operation: OperationView }) {
  return operation.cancelled_at !== null && operation.ended_at === null && operation.error === "" ? (
    <Alert.Root status="info">
      <Alert.Indicator />
      <Alert.Title>{operation.cancelled_by} cancelled it: it ends after the step that runs. Past the point where it can be undone, it goes on.</Alert.Title>
    </Alert.Root>
  ) : undefined;
}
