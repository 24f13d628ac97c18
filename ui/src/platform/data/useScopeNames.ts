import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import type { DeploymentView, WorkspaceView } from "../../../generated/platform";

/** The scope of a role, in words: answers name it by its id. */
export function useScopeNames(): (scope: { workspace: string | null; deployment: string | null }) => string {
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 60).data?.items;
  const deployments = usePolled<Page<DeploymentView>>("/deployments?limit=1000", 60).data?.items;
  return ({ workspace, deployment }) => {
    if (deployment !== null) {
      return `Deployment ${deployments?.find((each) => each.id === deployment)?.name ?? deployment}`;
    }
    return workspace === null ? "the organization" : `workspace ${workspaces?.find((each) => each.id === workspace)?.name ?? workspace}`;
  };
}
