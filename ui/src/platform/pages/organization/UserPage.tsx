import { Button, SimpleGrid } from "@chakra-ui/react";
import { useState } from "react";
import { useParams } from "react-router-dom";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { moment, spaced } from "../../../data/words";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { Facts } from "../../../parts/Facts";
import { Tags, When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { ChangeUser, UserView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { PageTop, Panel } from "../../parts/page";
import { Explanation } from "./Explanation";
import { RolesOf } from "./roleBindings";
import { UserStatus } from "./UsersPage";

/** A person: how they sign in, their roles, and why they may what they may. */
export function UserPage() {
  const { user: name = "" } = useParams();
  const polled = usePolled<UserView>(`/users/${name}`, 10);
  return (
    <Shown polled={polled} what="the user">
      {(user) => <Details user={user} refresh={polled.refresh} />}
    </Shown>
  );
}

function Details({ user, refresh }: { user: UserView; refresh: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const [action, setAction] = useState<Action>();
  const mayChange = allows(me, "members.update");
  const active = user.status === "active";

  const endSessions: Action = {
    title: `End all sessions of ${user.name}`,
    explained: "Every browser of the user is signed out, here and in Deployments. The user may sign in again.",
    submit: "End sessions",
    dangerous: true,
    run: async (reason) => {
      await call(`/users/${user.id}/sessions`, { method: "DELETE", query: { reason } });
      say(`The sessions of ${user.name} have ended`);
      refresh();
    },
  };
  const change: Action = {
    title: active ? `Disable ${user.name}` : `Enable ${user.name}`,
    explained: active
      ? "All sessions of the user end, and personal tokens open nothing. The user cannot sign in until enabled again."
      : "The user may sign in again, with the roles from before.",
    submit: active ? "Disable" : "Enable",
    dangerous: active,
    run: async (reason) => {
      const body: ChangeUser = { disabled: active };
      await call<UserView>(`/users/${user.id}`, { method: "PATCH", body, query: { reason } });
      say(`User ${user.name} was ${active ? "disabled" : "enabled"}`);
      refresh();
    },
  };
  return (
    <>
      <PageTop title={user.name} above={[{ name: "Users", to: "/organization/users" }]} mark={<UserStatus user={user} />}>
        {mayChange ? (
          <>
            <Button size="sm" variant="outline" onClick={() => setAction(endSessions)}>
              End sessions
            </Button>
            <Button size="sm" variant="outline" colorPalette={active ? "red" : "brand"} onClick={() => setAction(change)}>
              {active ? "Disable" : "Enable"}
            </Button>
          </>
        ) : undefined}
      </PageTop>
      <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
        <Panel title="User">
          <Facts
            facts={[
              ["Full name", user.full_name || "–"],
              ["E-mail", user.email || "–"],
              ...(user.provisioned ? [["Managed by", "the identity provider (SCIM)"] as [string, string]] : []),
              ["Signs in by", user.signs_in_by.map(spaced).join(", ") || "–"],
              ["Teams", <Tags names={user.teams} />],
              ["Created", moment(user.created_at)],
              ["Last sign-in", <When at={user.signed_in_at} />],
            ]}
          />
        </Panel>
        <RolesOf subject={{ kind: "user", name: user.name }} />
        <Panel title="Access to the organization">
          <Explanation user={user.name} />
        </Panel>
      </SimpleGrid>
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}
