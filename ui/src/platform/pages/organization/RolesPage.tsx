import { Box, Button, Stack, Table, Text } from "@chakra-ui/react";
import { Fragment, useState } from "react";

import { Hidden } from "../../../parts/DataTable";
import { Shown } from "../../../parts/states";
import type { RoleMatrix } from "../../../../generated/platform";
import { allowsSomewhere, useMe } from "../../data/permissions";
import { PageTop, Panel } from "../../parts/page";
import { CustomRoles } from "./CustomRoles";
import { RoleForm } from "./RoleForm";
import { grouped, roleTitle, type Level } from "./roles";
import { useRoles } from "./scopes";

const LEVELS: [level: Level, title: string][] = [
  ["organization", "On the organization"],
  ["workspace", "On a workspace"],
  ["deployment", "On a Deployment"],
];

/** Every role and what it allows: those that the organization has made, and a matrix of the built-in ones. */
export function RolesPage() {
  const polled = useRoles();
  const me = useMe();
  const [making, setMaking] = useState(false);
  return (
    <>
      <PageTop
        title="Roles"
        help="A role holds on its scope and on everything in it. Who has several roles has all that they allow together, by the user and by teams."
      >
        {allowsSomewhere(me, "members.update") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Create role
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={polled} what="roles">
        {(matrix) => (
          <Stack gap={4}>
            <CustomRoles roles={matrix.roles.filter((each) => each.custom)} onChanged={polled.refresh} />
            <Panel title="Built-in roles">
              <Matrix matrix={matrix} />
            </Panel>
          </Stack>
        )}
      </Shown>
      {making ? <RoleForm onClose={() => setMaking(false)} onDone={polled.refresh} /> : undefined}
    </>
  );
}

function Matrix({ matrix }: { matrix: RoleMatrix }) {
  const builtIn = matrix.roles.filter((each) => !each.custom);
  const levels = LEVELS.map(([level, title]) => ({ title, roles: builtIn.filter((each) => each.level === level) }));
  const roles = levels.flatMap((each) => each.roles);
  return (
    <Box overflow="auto" position="relative" role="region" aria-label="Roles and permissions" tabIndex={0} borderWidth={1} borderRadius="md" maxH="75vh">
      <Table.Root size="sm" stickyHeader showColumnBorder>
        <Table.Header>
          <Table.Row bg="bg.muted">
            <Table.ColumnHeader scope="col" rowSpan={2} minW="15em">
              Permission
            </Table.ColumnHeader>
            {levels.map((each) => (
              <Table.ColumnHeader key={each.title} scope="colgroup" colSpan={each.roles.length} textAlign="center" whiteSpace="nowrap">
                {each.title}
              </Table.ColumnHeader>
            ))}
          </Table.Row>
          <Table.Row bg="bg.muted">
            {roles.map((role) => (
              <Table.ColumnHeader key={role.name} scope="col" textAlign="center" fontWeight="medium" fontSize="xs">
                {roleTitle(role.name.slice(role.level.length + 1))}
                <Hidden> {role.level}</Hidden>
              </Table.ColumnHeader>
            ))}
          </Table.Row>
        </Table.Header>
        <Table.Body>
          <Table.Row>
            <Table.ColumnHeader scope="row" fontWeight="normal">
              Role in Airflow
            </Table.ColumnHeader>
            {roles.map((role) => (
              <Table.Cell key={role.name} textAlign="center" fontSize="xs">
                {role.airflow_role ?? "–"}
              </Table.Cell>
            ))}
          </Table.Row>
          {grouped(matrix.permissions).map((group) => (
            <Fragment key={group.title}>
              <Table.Row bg="bg.subtle">
                <Table.ColumnHeader scope="rowgroup" colSpan={roles.length + 1} fontSize="xs" color="fg.muted">
                  {group.title}
                </Table.ColumnHeader>
              </Table.Row>
              {group.permissions.map((permission) => (
                <Table.Row key={permission}>
                  <Table.ColumnHeader scope="row" fontWeight="normal" fontFamily="mono" fontSize="xs">
                    {permission}
                  </Table.ColumnHeader>
                  {roles.map((role) => (
                    <Table.Cell key={role.name} textAlign="center">
                      <Sign yes={role.permissions.includes(permission)} />
                    </Table.Cell>
                  ))}
                </Table.Row>
              ))}
            </Fragment>
          ))}
        </Table.Body>
      </Table.Root>
    </Box>
  );
}

function Sign({ yes }: { yes: boolean }) {
  return (
    <Text as="span" color={yes ? "fg.success" : "fg.subtle"} fontWeight={yes ? "bold" : "normal"}>
      <span aria-hidden>{yes ? "✓" : "·"}</span>
      <Hidden>{yes ? "allowed" : "not allowed"}</Hidden>
    </Text>
  );
}
