import { Badge, Button, DataList, Field, Input, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../data/usePolled";
import { spaced } from "../../data/words";
import { DataTable, type Column } from "../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../parts/dialogs";
import { When } from "../../parts/marks";
import { useSay } from "../../parts/news";
import { Nothing, Shown } from "../../parts/states";
import type { Grant, NewPassword, SignInSessionView } from "../../../generated/platform";
import { useMe } from "../data/permissions";
import { ask, ofPlatform } from "../data/platform";
import type { Page } from "../data/types";
import { useScopeNames } from "../data/useScopeNames";
import { PageTop, Panel } from "../parts/page";
import { Fact } from "./OperationPage";
import { ApiTokens } from "./organization/ApiTokensPage";

/** The signed-in person: sessions, tokens of their own, and what their roles allow. */
export function MePage() {
  const me = useMe();
  const [changing, setChanging] = useState(false);
  const byPassword = me.session?.method === "password" || me.break_glass;
  return (
    <>
      <PageTop title={me.name}>
        {byPassword ? (
          <Button size="sm" variant="outline" onClick={() => setChanging(true)}>
            Change password
          </Button>
        ) : undefined}
      </PageTop>
      <VStack align="stretch" gap={4}>
        <Panel title="Account">
          <DataList.Root orientation="horizontal" size="sm">
            <Fact name="Organization">{me.organization}</Fact>
            {me.session ? (
              <>
                <Fact name="Signed in by">{spaced(me.session.method)}</Fact>
                <Fact name="Session ends">
                  <When at={me.session.ends_at} /> at the latest, or after an hour without a request
                </Fact>
              </>
            ) : undefined}
          </DataList.Root>
        </Panel>
        <Panel title="Roles">
          <Roles grants={me.grants} />
        </Panel>
        <Panel title="Sessions">
          <Sessions />
        </Panel>
        <Panel title="Personal API tokens">
          <Text color="fg.muted" mb={3}>
            For programs that act as you. A token never allows more than you may do at that moment.
          </Text>
          <ApiTokens personal />
        </Panel>
      </VStack>
      {changing ? <Password needsCurrent={!me.break_glass} onClose={() => setChanging(false)} /> : undefined}
    </>
  );
}

function Roles({ grants }: { grants: Grant[] }) {
  const scope = useScopeNames();
  const columns: Column<Grant>[] = [
    { name: "Role", cell: (each) => <Text fontWeight="semibold">{spaced(each.role)}</Text> },
    { name: "On", cell: (each) => scope(each) },
    {
      name: "Allows",
      cell: (each) => (
        <details>
          <summary>{each.permissions.length} permissions</summary>
          <VStack align="flex-start" gap={0} mt={1}>
            {each.permissions.map((one) => (
              <code key={one}>{one}</code>
            ))}
          </VStack>
        </details>
      ),
    },
  ];
  return grants.length === 0 ? (
    <Text color="fg.muted">You have no role yet. Ask an owner of the organization.</Text>
  ) : (
    <DataTable label="Roles" columns={columns} rows={grants} id={(each) => `${each.role} ${each.workspace} ${each.deployment}`} />
  );
}

function Sessions() {
  const say = useSay();
  const polled = usePolled<Page<SignInSessionView>>("/me/sessions", 15);
  const [action, setAction] = useState<Action>();
  const end = (each: SignInSessionView): Action => ({
    title: "End session",
    explained: `The browser at ${each.address || "an unknown address"} is signed out at once, here and in each Deployment's Airflow.`,
    submit: "End session",
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call(`/me/sessions/${each.id}`, { method: "DELETE", query: { reason } });
      say("The session has ended");
      polled.refresh();
    },
  });
  const others: Action = {
    title: "End all other sessions",
    explained: "Every browser but this one is signed out at once.",
    submit: "End other sessions",
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call("/me/sessions", { method: "DELETE", query: { reason } });
      say("All other sessions have ended");
      polled.refresh();
    },
  };
  const columns: Column<SignInSessionView>[] = [
    {
      name: "Browser",
      cell: (each) => (
        <Text lineClamp={2} maxW="30em">
          {each.client || "unknown"} {each.current ? <Badge colorPalette="green">this one</Badge> : undefined}
        </Text>
      ),
    },
    { name: "Address", cell: (each) => each.address },
    { name: "Signed in", hideBelow: "md", cell: (each) => <When at={each.authenticated_at} /> },
    { name: "Last seen", cell: (each) => <When at={each.last_seen_at} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        each.current ? undefined : (
          <Button size="xs" variant="outline" colorPalette="red" aria-label={`End session at ${each.address}`} onClick={() => setAction(end(each))}>
            End
          </Button>
        ),
    },
  ];
  return (
    <Shown polled={polled} what="sessions">
      {(page) =>
        page.items.length === 0 ? (
          <Nothing title="No sessions" />
        ) : (
          <>
            <DataTable label="Sessions" columns={columns} rows={page.items} id={(each) => each.id} />
            {page.items.length > 1 ? (
              <Button size="sm" variant="outline" mt={3} onClick={() => setAction(others)}>
                End all other sessions
              </Button>
            ) : undefined}
            <ReasonDialog action={action} onClose={() => setAction(undefined)} />
          </>
        )
      }
    </Shown>
  );
}

function Password({ needsCurrent, onClose }: { needsCurrent: boolean; onClose: () => void }) {
  const say = useSay();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  return (
    <FormDialog
      title="Change password"
      open
      onClose={onClose}
      submit="Change password"
      onSubmit={async () => {
        const body: NewPassword = { current, password };
        await ask("/sign-in/password", { method: "POST", body });
        say("The password is changed, and your other sessions have ended");
      }}
    >
      {needsCurrent ? (
        <Field.Root required>
          <Field.Label>Current password</Field.Label>
          <Input required type="password" autoComplete="current-password" value={current} onChange={(event) => setCurrent(event.target.value)} />
        </Field.Root>
      ) : undefined}
      <Field.Root required>
        <Field.Label>New password</Field.Label>
        <Input
          required
          type="password"
          minLength={12}
          autoComplete="new-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Field.HelperText>12 characters at least. Your other sessions end.</Field.HelperText>
      </Field.Root>
    </FormDialog>
  );
}
