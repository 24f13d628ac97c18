import { Box, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { WhenBy } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Nothing } from "../../../parts/states";
import type { RoleView, WorkspaceView } from "../../../../generated/platform";
import { useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { Panel } from "../../parts/page";
import { PermissionList } from "./PermissionList";
import { RoleForm } from "./RoleForm";
import { mayDefine } from "./roles";

/** The roles that the organization has made itself. */
export function CustomRoles({ roles, onChanged }: { roles: RoleView[]; onChanged: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 60).data?.items;
  const [changing, setChanging] = useState<RoleView>();
  const [action, setAction] = useState<Action>();

  const remove = (role: RoleView): Action => ({
    title: `Delete role ${role.name}`,
    explained: "A role that is bound to a user, a team or a token is not deleted. No other role ever gets its name.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/roles/${role.name}`, { method: "DELETE", query: { reason }, headers: ifMatch(role.revision ?? 0) });
      say(`Role ${role.name} was deleted`);
      onChanged();
    },
  });
  const namesOf = (ids: string[]) =>
    workspaces === undefined ? "" : ids.map((id) => workspaces.find((each) => each.id === id)?.name ?? id).join(", ");
  const columns: Column<RoleView>[] = [
    {
      name: "Name",
      cell: (role) => (
        <Box>
          <Text fontWeight="medium">{role.name}</Text>
          <Text color="fg.muted" fontSize="xs">
            {role.description}
          </Text>
        </Box>
      ),
    },
    { name: "Role in Airflow", hideBelow: "md", cell: (role) => role.airflow_role ?? "none" },
    { name: "Allows", cell: (role) => <PermissionList permissions={role.permissions} /> },
    {
      name: "Workspaces",
      hideBelow: "md",
      cell: (role) => (role.workspaces === null ? "all" : namesOf(role.workspaces)),
    },
    {
      name: "Changed",
      hideBelow: "lg",
      cell: (role) => (role.updated_at ? <WhenBy at={role.updated_at} by={role.updated_by} /> : undefined),
    },
    {
      name: "Actions",
      quiet: true,
      cell: (role) =>
        mayDefine(me, role.permissions, role.workspaces) ? (
          <HStack gap={2} justify="flex-end">
            <RowButton label={`Edit role ${role.name}`} onClick={() => setChanging(role)}>
              Edit
            </RowButton>
            <RowButton dangerous label={`Delete role ${role.name}`} onClick={() => setAction(remove(role))}>
              Delete
            </RowButton>
          </HStack>
        ) : undefined,
    },
  ];
  return (
    <Panel title="Custom roles">
      {roles.length === 0 ? (
        <Nothing title="No custom roles">A role of your own allows on a Deployment exactly what you choose.</Nothing>
      ) : (
        <DataTable label="Roles of the organization" columns={columns} rows={roles} id={(role) => role.name} />
      )}
      {changing ? <RoleForm role={changing} onClose={() => setChanging(undefined)} onDone={onChanged} /> : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </Panel>
  );
}
