import { Badge, Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import type { Column } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { SelectField, TextField } from "../../../parts/fields";
import { WhenBy, When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Nothing, Shown } from "../../../parts/states";
import type { InviteView, NewInvite } from "../../../../generated/platform";
import { allows, allowsSomewhere, useMe } from "../../data/permissions";
import { useScopeNames } from "../../data/useScopeNames";
import { PageTop } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";
import { mayGive, roleTitle } from "./roles";
import { RoleField, ScopeFields, scopeInRequest, targetOf, usePlaces, useRoles, type Scope } from "./scopes";

const PALETTES: Record<string, string> = { pending: "blue", accepted: "green", expired: "gray" };

/** Roles that wait for people who have not signed in yet. */
export function InvitesPage() {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const scope = useScopeNames();
  const polled = usePolled<Page<InviteView>>("/invites?limit=1000", 10);
  const [making, setMaking] = useState(false);
  const [action, setAction] = useState<Action>();
  const withdraw = (invite: InviteView): Action => ({
    title: `Withdraw the invite of ${invite.email}`,
    explained: "The person gets no role from it.",
    submit: "Withdraw",
    dangerous: true,
    run: async (reason) => {
      await call(`/invites/${invite.id}`, { method: "DELETE", query: { reason } });
      say(`The invite of ${invite.email} was withdrawn`);
      polled.refresh();
    },
  });
  const columns: Column<InviteView>[] = [
    { name: "E-mail", cell: (invite) => <Text fontWeight="semibold">{invite.email}</Text> },
    { name: "Role", cell: (invite) => roleTitle(invite.role) },
    { name: "Scope", cell: scope },
    {
      name: "Status",
      cell: (invite) => (
        <Badge colorPalette={PALETTES[invite.status] ?? "gray"} variant="surface">
          {invite.status}
        </Badge>
      ),
    },
    { name: "Created", hideBelow: "md", cell: (invite) => <WhenBy at={invite.created_at} by={invite.created_by} /> },
    { name: "Expires", hideBelow: "md", cell: (invite) => <When at={invite.expires_at} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (invite) =>
        invite.status !== "accepted" &&
        allows(me, "members.update", {
          ...(invite.workspace === null ? {} : { workspace: invite.workspace }),
          ...(invite.deployment === null ? {} : { deployment: invite.deployment }),
        }) ? (
          <RowButton dangerous label={`Withdraw invite of ${invite.email}`} onClick={() => setAction(withdraw(invite))}>
            Withdraw
          </RowButton>
        ) : undefined,
    },
  ];
  return (
    <>
      <PageTop title="Invites" help="The person gets the role at the first sign-in at the identity provider with this verified e-mail address. No message is sent.">
        {allowsSomewhere(me, "members.update") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Create invite
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={polled} what="invites">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No invites">Create one for a person who has not signed in yet.</Nothing>
          ) : (
            <PagedTable label="Invites" columns={columns} rows={page.items} id={(invite) => invite.id} />
          )
        }
      </Shown>
      {making ? <CreateInvite onClose={() => setMaking(false)} onMade={polled.refresh} /> : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function CreateInvite({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const places = usePlaces();
  const roles = useRoles().data?.roles ?? [];
  const [email, setEmail] = useState("");
  const [scope, setScope] = useState<Scope>({ level: "organization" });
  const [role, setRole] = useState("");
  const [days, setDays] = useState("14");
  return (
    <FormDialog
      title="Create invite"
      open
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body: NewInvite = { email: email.trim(), role, expires_in_days: Number(days), ...scopeInRequest(scope) };
        const made = await call<InviteView>("/invites", { method: "POST", body });
        say(`${made.email} was invited`);
        onMade();
      }}
    >
      <TextField label="E-mail" required type="email" maxLength={250} value={email} set={setEmail} />
      <ScopeFields
        scope={scope}
        onScope={(next) => {
          setScope(next);
          setRole("");
        }}
        places={places}
      />
      <RoleField roles={roles} level={scope.level} value={role} onRole={setRole} offered={(each) => mayGive(me, each, targetOf(scope))} />
      <SelectField
        label="Expires"
        value={days}
        set={setDays}
        options={[
          ["7", "in 7 days"],
          ["14", "in 14 days"],
          ["30", "in 30 days"],
          ["90", "in 90 days"],
        ]}
      />
    </FormDialog>
  );
}
