import { useState } from "react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { Nothing, Shown } from "../../../parts/states";
import type { DeploymentView, ReleaseView, WorkspaceView } from "../../../../generated/platform";
import { allows, allowsSomewhere, useMe } from "../../data/permissions";
import { PageTop } from "../../parts/page";
import { Creation } from "./Creation";
import { NewDeploymentForm } from "./NewDeploymentForm";

const ABOVE = [{ name: "Deployments", to: "/deployments" }];

/** Asks for a Deployment, and shows its steps until it runs. */
export function NewDeploymentPage() {
  const me = useMe();
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 30);
  const releases = usePolled<Page<ReleaseView>>("/releases?limit=1000", 60);
  const [created, setCreated] = useState<DeploymentView>();
  return (
    <>
      <PageTop title="New Deployment" above={ABOVE} />
      {created ? (
        <Creation deployment={created} />
      ) : !allowsSomewhere(me, "deployment.create") ? (
        <Nothing title="Your role cannot create Deployments">Ask an owner of a workspace for the role of an operator.</Nothing>
      ) : (
        <Shown polled={workspaces} what="workspaces">
          {(page) => (
            <NewDeploymentForm
              workspaces={page.items.filter((each) => allows(me, "deployment.create", { workspace: each.id }))}
              releases={releases.data?.items ?? []}
              onCreated={setCreated}
            />
          )}
        </Shown>
      )}
    </>
  );
}
