// What a role or a token is given on: the organization, a workspace or a Deployment.
import { Stack } from "@chakra-ui/react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { SelectField } from "../../../parts/fields";
import type { DeploymentView, RoleMatrix, RoleView, WorkspaceView } from "../../../../generated/platform";
import type { Target } from "../../data/permissions";
import { roleTitle, type Level } from "./roles";

export type Scope = { level: Level; workspace?: WorkspaceView; deployment?: DeploymentView };

/** The scope as a request names it. */
export const scopeInRequest = ({ workspace, deployment }: Scope) =>
  deployment ? { deployment: deployment.id } : workspace ? { workspace: workspace.id } : {};

export const targetOf = ({ workspace, deployment }: Scope): Target =>
  deployment
    ? { workspace: deployment.workspace, deployment: deployment.id }
    : workspace
      ? { workspace: workspace.id }
      : {};

export type Places = { workspaces: WorkspaceView[]; deployments: DeploymentView[] };

/** Workspaces and Deployments that the caller may know of. */
export function usePlaces(): Places {
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 60);
  const deployments = usePolled<Page<DeploymentView>>("/deployments?limit=1000", 60);
  return { workspaces: workspaces.data?.items ?? [], deployments: deployments.data?.items.filter((each) => each.phase !== "purged") ?? [] };
}

export const useRoles = () => usePolled<RoleMatrix>("/roles", 600);

/** A level, and the workspace or Deployment of it. */
export function ScopeFields({
  scope,
  onScope,
  places,
  levels = ["organization", "workspace", "deployment"],
}: {
  scope: Scope;
  onScope: (scope: Scope) => void;
  places: Places;
  levels?: Level[];
}) {
  const begin = (level: Level) =>
    onScope({
      level,
      ...(level === "workspace" && places.workspaces[0] ? { workspace: places.workspaces[0] } : {}),
      ...(level === "deployment" && places.deployments[0] ? { deployment: places.deployments[0] } : {}),
    });
  return (
    <Stack direction={{ base: "column", sm: "row" }} align="flex-start" gap={3}>
      <SelectField
        label="Scope"
        value={scope.level}
        set={(level) => begin(level as Level)}
        options={levels.map((each) => [each, SCOPES[each]])}
      />
      {scope.level === "workspace" ? (
        <SelectField
          label="Workspace"
          empty="Choose a workspace"
          value={scope.workspace?.id ?? ""}
          set={(id) => onScope({ level: "workspace", ...found("workspace", places.workspaces, id) })}
          options={places.workspaces.map((each) => [each.id, each.name])}
        />
      ) : undefined}
      {scope.level === "deployment" ? (
        <SelectField
          label="Deployment"
          empty="Choose a Deployment"
          value={scope.deployment?.id ?? ""}
          set={(id) => onScope({ level: "deployment", ...found("deployment", places.deployments, id) })}
          options={places.deployments.map((each) => [each.id, `${each.workspace_name} / ${each.name}`])}
        />
      ) : undefined}
    </Stack>
  );
}

const SCOPES: Record<Level, string> = { organization: "The organization", workspace: "A workspace", deployment: "A Deployment" };

function found<Name extends string, Item extends { id: string }>(name: Name, items: Item[], id: string) {
  const item = items.find((each) => each.id === id);
  return item ? ({ [name]: item } as Record<Name, Item>) : {};
}

/** A role of the scope's level. Those that the caller cannot give are not offered. */
export function RoleField({
  roles,
  level,
  value,
  onRole,
  offered,
}: {
  roles: RoleView[];
  level: Level;
  value: string;
  onRole: (role: string) => void;
  offered: (role: RoleView) => boolean;
}) {
  const choices = roles.filter((each) => each.level === level && offered(each));
  return (
    <SelectField
      label="Role"
      value={choices.some((each) => each.name === value) ? value : ""}
      set={onRole}
      empty="Choose a role"
      options={choices.map((each) => [
        each.name,
        `${roleTitle(each.name)}${each.airflow_role ? ` (Airflow: ${each.airflow_role})` : ""}`,
      ])}
      help={choices.length === 0 ? "You have no role there that you can give." : "Organization › Roles lists what each role allows."}
    />
  );
}
