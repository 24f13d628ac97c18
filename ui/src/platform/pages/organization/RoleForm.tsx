import { Checkbox, Fieldset, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { FormDialog } from "../../../parts/dialogs";
import { DescriptionField, SelectField } from "../../../parts/fields";
import { NameField } from "../../../parts/NameField";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { ChangeRole, NewRole, PermissionGroup, PermissionGroups, RoleView, WorkspaceView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { targetsOf } from "./roles";
import { WorkspacesField } from "./WorkspacesField";

const NO_ROLE = "none";
type AirflowRole = NewRole["airflow_role"];

/** Makes a custom role, or changes one: what it allows, and where it may be given. */
export function RoleForm({ role, onClose, onDone }: { role?: RoleView; onClose: () => void; onDone: () => void }) {
  const say = useSay();
  const { call } = useSource();
  const polled = usePolled<PermissionGroups>("/authorization/permission-groups", 600);
  const all = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 60).data?.items ?? [];
  const [name, setName] = useState(role?.name ?? "");
  const [description, setDescription] = useState(role?.description ?? "");
  const [airflow, setAirflow] = useState<string>(role?.airflow_role ?? NO_ROLE);
  const [permissions, setPermissions] = useState(role?.permissions ?? []);
  const [workspaces, setWorkspaces] = useState(role?.workspaces ?? []);
  return (
    <FormDialog
      title={role ? `Edit role ${role.name}` : "Create role"}
      open
      onClose={onClose}
      wide
      submit={role ? "Save" : "Create"}
      onSubmit={async () => {
        const body: ChangeRole = {
          description,
          permissions,
          airflow_role: airflow === NO_ROLE ? null : (airflow as AirflowRole),
          workspaces: workspaces.length === 0 ? null : workspaces,
        };
        if (role) {
          await call(`/roles/${role.name}`, { method: "PATCH", body, headers: ifMatch(role.revision ?? 0) });
          say(`Role ${role.name} was changed, for all who have it`);
        } else {
          await call("/roles", { method: "POST", body: { ...body, name: name.trim() } });
          say(`Role ${name.trim()} was created`);
        }
        onDone();
      }}
    >
      {role ? undefined : (
        <NameField name={name} set={setName} note="You cannot change it later, and no other role ever gets it." />
      )}
      <DescriptionField description={description} set={setDescription} />
      <Shown polled={polled} what="permissions">
        {(found) => (
          <>
            <SelectField
              label="Role in Airflow"
              value={airflow}
              set={setAirflow}
              options={[[NO_ROLE, "None"], ...found.airflow_roles.map((each) => [each, each] as const)]}
              help="For Airflow's own pages and API. Without one, this role does not allow to sign in to Airflow."
            />
            {found.groups.map((group) => (
              <Permissions
                key={group.name}
                group={group}
                always={found.always}
                workspaces={workspaces}
                chosen={permissions}
                onChosen={setPermissions}
              />
            ))}
          </>
        )}
      </Shown>
      {all.length === 0 ? undefined : (
        <WorkspacesField
          legend="Workspaces on whose Deployments it may be bound"
          all={all}
          chosen={workspaces}
          onChosen={setWorkspaces}
        />
      )}
      {role ? <Text color="fg.muted">The change takes effect at once for all who have the role.</Text> : undefined}
    </FormDialog>
  );
}

/** A group of permissions. Those that the caller does not have where the role may be given cannot be chosen. */
function Permissions({
  group,
  always,
  workspaces,
  chosen,
  onChosen,
}: {
  group: PermissionGroup;
  always: string[];
  workspaces: string[];
  chosen: string[];
  onChosen: (permissions: string[]) => void;
}) {
  const me = useMe();
  const has = (permission: string) => targetsOf(workspaces).every((target) => allows(me, permission, target));
  return (
    <Fieldset.Root size="sm">
      <Fieldset.Legend>{group.title}</Fieldset.Legend>
      <Fieldset.Content mt={1}>
        <SimpleGrid columns={{ base: 1, sm: 2 }} gap={2}>
          {group.permissions.map((each) => {
            const isAlways = always.includes(each);
            return (
              <Checkbox.Root
                key={each}
                size="sm"
                checked={isAlways || chosen.includes(each)}
                disabled={isAlways || (!has(each) && !chosen.includes(each))}
                onCheckedChange={(changed: { checked: boolean | "indeterminate" }) =>
                  onChosen(changed.checked === true ? [...chosen, each] : chosen.filter((one) => one !== each))
                }
              >
                <Checkbox.HiddenInput />
                <Checkbox.Control />
                <Checkbox.Label fontFamily="mono" fontSize="xs" wordBreak="break-word">
                  {each}
                </Checkbox.Label>
              </Checkbox.Root>
            );
          })}
        </SimpleGrid>
      </Fieldset.Content>
    </Fieldset.Root>
  );
}
