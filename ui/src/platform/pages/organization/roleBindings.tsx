// Roles of users, teams and scopes: a table of bindings, and the form that makes one.
import { Button, HStack, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import type { Column } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { SelectField } from "../../../parts/fields";
import { WhenBy } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Shown } from "../../../parts/states";
import type { BindRole, RoleBindingView, TeamView, UserView } from "../../../../generated/platform";
import { allows, allowsSomewhere, useMe, type Target } from "../../data/permissions";
import { Panel } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";
import { mayGive, roleTitle } from "./roles";
import { RoleField, ScopeFields, scopeInRequest, targetOf, usePlaces, useRoles, type Scope } from "./scopes";

export type Subject = { kind: "user" | "team"; name: string };

/** The bindings of a user or a team, and the ways to bind and unbind one. */
export function RolesOf({ subject }: { subject: Subject }) {
  const me = useMe();
  const polled = usePolled<Page<RoleBindingView>>(`/role-bindings?${subject.kind}=${subject.name}&limit=1000`, 10);
  const [giving, setGiving] = useState(false);
  return (
    <Panel
      title="Roles"
      action={
        allowsSomewhere(me, "members.update") ? (
          <Button size="xs" variant="outline" onClick={() => setGiving(true)}>
            Bind role
          </Button>
        ) : undefined
      }
    >
      <Shown polled={polled} what="roles">
        {(page) =>
          page.items.length === 0 ? (
            <Text color="fg.muted">No role. {subject.kind === "user" ? "Roles of teams are listed under Access." : ""}</Text>
          ) : (
            <Bindings bindings={page.items} refresh={polled.refresh} subjects={false} />
          )
        }
      </Shown>
      {giving ? <BindForm subject={subject} onClose={() => setGiving(false)} onDone={polled.refresh} /> : undefined}
    </Panel>
  );
}

export function Bindings({
  bindings,
  refresh,
  subjects = true,
}: {
  bindings: RoleBindingView[];
  refresh: () => void;
  subjects?: boolean;
}) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const [action, setAction] = useState<Action>();
  const unbind = (binding: RoleBindingView): Action => ({
    title: `Unbind the role ${roleTitle(binding.role)} from ${binding.subject_name}`,
    explained: `${binding.kind === "team" ? "The members of the team lose" : "The user loses"} it at once, in the Airflow of each Deployment within seconds.`,
    submit: "Unbind role",
    dangerous: true,
    run: async (reason) => {
      await call(`/role-bindings/${binding.id}`, { method: "DELETE", query: { reason } });
      say(`${binding.subject_name} no longer has the role ${roleTitle(binding.role)}`);
      refresh();
    },
  });
  const columns: Column<RoleBindingView>[] = [
    ...(subjects
      ? [
          {
            name: "User or team",
            cell: (binding: RoleBindingView) => (
              <>
                <SubjectLink kind={binding.kind} name={binding.subject_name} />
                <Text color="fg.muted" fontSize="xs">
                  {binding.kind}
                </Text>
              </>
            ),
          },
        ]
      : []),
    { name: "Role", cell: (binding) => <Text whiteSpace="nowrap">{roleTitle(binding.role)}</Text> },
    { name: "Scope", cell: scopeOf },
    { name: "Since", hideBelow: "md", cell: (binding) => <WhenBy at={binding.created_at} by={binding.created_by} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (binding) =>
        allows(me, "members.update", placeOf(binding)) ? (
          <HStack>
            <RowButton dangerous label={`Unbind role ${roleTitle(binding.role)} from ${binding.subject_name}`} onClick={() => setAction(unbind(binding))}>
              Unbind
            </RowButton>
          </HStack>
        ) : undefined,
    },
  ];
  return (
    <>
      <PagedTable label="Role bindings" columns={columns} rows={bindings} id={(binding) => binding.id} />
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

export function SubjectLink({ kind, name }: { kind: string; name: string }) {
  return (
    <Link asChild color="fg.info" fontWeight="semibold">
      <RouterLink to={`/organization/${kind}s/${name}`}>{name}</RouterLink>
    </Link>
  );
}

const scopeOf = (binding: RoleBindingView) =>
  binding.deployment !== null
    ? `Deployment ${binding.deployment_name}`
    : binding.workspace !== null
      ? `Workspace ${binding.workspace_name}`
      : "Organization";

const placeOf = (binding: RoleBindingView): Target => ({
  ...(binding.workspace === null ? {} : { workspace: binding.workspace }),
  ...(binding.deployment === null ? {} : { deployment: binding.deployment }),
});

/** Give a role: to a subject that is known, or on a scope that is known. */
export function BindForm({
  subject,
  scope: fixed,
  onClose,
  onDone,
}: {
  subject?: Subject;
  scope?: Scope;
  onClose: () => void;
  onDone: () => void;
}) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const places = usePlaces();
  const roles = useRoles().data?.roles ?? [];
  const users = usePolled<Page<UserView>>(subject ? undefined : "/users?limit=1000", 60).data?.items ?? [];
  const teams = usePolled<Page<TeamView>>(subject ? undefined : "/teams?limit=1000", 60).data?.items ?? [];
  const [chosen, setChosen] = useState("");
  const [scope, setScope] = useState<Scope>(fixed ?? { level: "organization" });
  const [role, setRole] = useState("");
  const subjects: [string, string][] = [
    ...teams.map((each): [string, string] => [`team ${each.name}`, `Team ${each.name}`]),
    ...users.map((each): [string, string] => [`user ${each.name}`, each.full_name ? `${each.name} (${each.full_name})` : each.name]),
  ];
  return (
    <FormDialog
      title={subject ? `Bind a role to ${subject.name}` : `Bind a role`}
      open
      onClose={onClose}
      submit="Bind role"
      onSubmit={async () => {
        const [kind = "", name = ""] = subject ? [subject.kind, subject.name] : chosen.split(" ");
        const body: BindRole = { role, ...(kind === "team" ? { team: name } : { user: name }), ...scopeInRequest(scope) };
        await call<RoleBindingView>("/role-bindings", { method: "POST", body });
        say(`${name} has the role ${roleTitle(role)}`);
        onDone();
      }}
    >
      {subject ? undefined : <SelectField label="User or team" empty="Choose a user or a team" value={chosen} set={setChosen} options={subjects} />}
      {fixed ? undefined : (
        <ScopeFields
          scope={scope}
          onScope={(next) => {
            setScope(next);
            setRole("");
          }}
          places={places}
        />
      )}
      <RoleField roles={roles} level={scope.level} value={role} onRole={setRole} offered={(each) => mayGive(me, each, targetOf(scope))} />
    </FormDialog>
  );
}
