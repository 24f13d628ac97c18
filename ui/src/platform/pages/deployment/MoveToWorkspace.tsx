import { Button, Flex, Text } from "@chakra-ui/react";
import { useState } from "react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, SelectField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { DeploymentView, MoveDeployment, WorkspaceView } from "../../../../generated/platform";
import { GONE } from "../../data/deployments";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { ifMatch, ofPlatform, referenceOf } from "../../data/platform";
import { Panel } from "../../parts/page";

/** Shown to those who may give the Deployment away, where there is another workspace in which they may create one. */
export function MoveToWorkspace({ deployment, done }: OfDeployment) {
  const me = useMe();
  const here = { workspace: deployment.workspace, deployment: deployment.id };
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 30);
  const [open, setOpen] = useState(false);
  const others = (workspaces.data?.items ?? []).filter(
    (each) => each.id !== deployment.workspace && allows(me, "deployment.create", { workspace: each.id }),
  );
  const gone = GONE.has(deployment.phase);
  if (gone || others.length === 0 || !allows(me, "deployment.delete", here) || !allows(me, "members.update", here)) {
    return undefined;
  }
  return (
    <Panel title="Workspace">
      <Flex justify="space-between" align="center" gap={4} wrap="wrap">
        <Text color="fg.muted" maxW="32em">
          It is in the workspace {deployment.workspace_name}, whose members have roles on it and whose settings count.
        </Text>
        <Button size="sm" variant="outline" disabled={deployment.operation !== null} onClick={() => setOpen(true)}>
          Move to another workspace
        </Button>
      </Flex>
      {open ? <Moving deployment={deployment} done={done} others={others} onClose={() => setOpen(false)} /> : undefined}
    </Panel>
  );
}

function Moving({ deployment, done, others, onClose }: OfDeployment & { others: WorkspaceView[]; onClose: () => void }) {
  const say = useSay();
  const [wanted, setWanted] = useState(others[0]?.id ?? "");
  const [reason, setReason] = useState("");
  const send = async () => {
    const body: MoveDeployment = { workspace: wanted };
    const moved = await ofPlatform.call<DeploymentView>(`/deployments/${referenceOf(deployment)}/move`, {
      method: "POST",
      body,
      query: { reason: reason.trim() },
      headers: ifMatch(deployment.revision),
    });
    const applied = moved.revision === moved.observed_revision;
    say(`${moved.name} is in ${moved.workspace_name}${applied ? "" : "; its settings are applied on the page Environment"}`);
    done();
  };
  return (
    <FormDialog title={`Move ${deployment.name}`} open onClose={onClose} submit="Move" onSubmit={send}>
      <Text>
        Roles and API tokens of {deployment.workspace_name} end on it at once, and those of the new workspace begin. Roles on the Deployment itself stay.
        Nothing is restarted: settings of the new workspace count once they are applied.
      </Text>
      <SelectField label="New workspace" options={others.map((each) => [each.id, each.name])} value={wanted} set={setWanted} />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
