import { Badge, Box, Button, Heading, HStack, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../data/source";
import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { spaced } from "../../data/words";
import { DataTable, type Column } from "../../parts/DataTable";
import { ReasonDialog, type Action } from "../../parts/dialogs";
import { When } from "../../parts/marks";
import { useSay } from "../../parts/news";
import { Shown } from "../../parts/states";
import type { Grant, SignInSessionView } from "../../../generated/platform";
import { useMe } from "../data/permissions";
import { useScopeNames } from "../data/useScopeNames";
import { PageTop, Panel } from "../parts/page";
import { ApiTokens } from "./organization/ApiTokens";
import { PermissionList } from "./organization/PermissionList";
import { roleTitle } from "./organization/roles";
import { PasswordForm } from "./PasswordForm";

/** The signed-in person: sessions, personal tokens, and what they may do. */
export function MePage() {
  const me = useMe();
  const [creating, setCreating] = useState(false);
  const [changing, setChanging] = useState(false);
  const byPassword = me.session?.method === "password" || me.break_glass;
  return (
    <>
      <PageTop title={me.name} help={`Signed in to ${me.organization}`}>
        {byPassword ? (
          <Button size="sm" variant="outline" onClick={() => setChanging(true)}>
            Change password
          </Button>
        ) : undefined}
      </PageTop>
      <SimpleGrid columns={1} gap={6}>
        <Sessions />
        {me.user === null ? undefined : (
          <Box as="section" aria-label="Personal tokens">
            <HStack justify="space-between" mb={3}>
              <Box>
                <Heading as="h2" size="sm">
                  Personal tokens
                </Heading>
                <Text color="fg.muted">For your scripts and command line. A token never has more than you have at the moment.</Text>
              </Box>
              <Button size="sm" variant="outline" onClick={() => setCreating(true)}>
                Create personal token
              </Button>
            </HStack>
            <ApiTokens personal creating={creating} onDone={() => setCreating(false)} />
          </Box>
        )}
        <Permissions />
      </SimpleGrid>
      {changing ? <PasswordForm needsCurrent={!me.break_glass} onClose={() => setChanging(false)} /> : undefined}
    </>
  );
}

function Sessions() {
  const say = useSay();
  const { call } = useSource();
  const polled = usePolled<Page<SignInSessionView>>("/me/sessions", 15);
  const [action, setAction] = useState<Action>();
  const end = (session: SignInSessionView): Action => ({
    title: "End session",
    explained: `The browser${session.address ? ` at ${session.address}` : ""} is signed out, here and in Deployments.`,
    submit: "End session",
    dangerous: true,
    run: async (reason) => {
      await call(`/me/sessions/${session.id}`, { method: "DELETE", query: { reason } });
      say("The session has ended");
      polled.refresh();
    },
  });
  const endOthers: Action = {
    title: "End all other sessions",
    explained: "Every browser but this one is signed out.",
    submit: "End sessions",
    dangerous: true,
    run: async (reason) => {
      await call("/me/sessions", { method: "DELETE", query: { reason } });
      say("Your other sessions have ended");
      polled.refresh();
    },
  };
  const columns: Column<SignInSessionView>[] = [
    {
      name: "Browser",
      cell: (session) => (
        <Box maxW="36em">
          <Text lineClamp={2} title={session.client}>
            {session.client || "unknown"}
          </Text>
          {session.current ? (
            <Badge colorPalette="green" variant="surface" textTransform="none">
              this browser
            </Badge>
          ) : undefined}
        </Box>
      ),
    },
    { name: "Address", cell: (session) => session.address || "–" },
    { name: "Signed in by", hideBelow: "md", cell: (session) => spaced(session.method) },
    { name: "Signed in", hideBelow: "md", cell: (session) => <When at={session.authenticated_at} /> },
    { name: "Last seen", cell: (session) => <When at={session.last_seen_at} /> },
    { name: "Ends", hideBelow: "lg", cell: (session) => <When at={session.ends_at} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (session) =>
        session.current ? undefined : (
          <Button size="xs" variant="outline" colorPalette="red" onClick={() => setAction(end(session))}>
            End
          </Button>
        ),
    },
  ];
  return (
    <Box as="section" aria-label="Sessions">
      <HStack justify="space-between" mb={3}>
        <Heading as="h2" size="sm">
          Sessions
        </Heading>
        {(polled.data?.items.length ?? 0) > 1 ? (
          <Button size="sm" variant="outline" onClick={() => setAction(endOthers)}>
            End all others
          </Button>
        ) : undefined}
      </HStack>
      <Shown polled={polled} what="sessions">
        {(page) => <DataTable label="Your sessions" columns={columns} rows={page.items} id={(session) => session.id} />}
      </Shown>
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </Box>
  );
}

function Permissions() {
  const me = useMe();
  const scope = useScopeNames();
  const columns: Column<Grant>[] = [
    { name: "Role", cell: (grant) => <Text whiteSpace="nowrap">{roleTitle(grant.role)}</Text> },
    { name: "Scope", cell: scope },
    { name: "Allows", cell: (grant) => <PermissionList permissions={grant.permissions} /> },
  ];
  return (
    <Panel title="Your permissions">
      {me.grants.length === 0 ? (
        <Text>You have no role yet. Ask an owner of the organization for one.</Text>
      ) : (
        <DataTable
          label="Your roles"
          columns={columns}
          rows={me.grants}
          id={(grant) => `${grant.role} ${grant.workspace ?? ""} ${grant.deployment ?? ""}`}
        />
      )}
    </Panel>
  );
}
