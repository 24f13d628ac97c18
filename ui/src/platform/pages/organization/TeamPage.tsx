import { Button, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";
import { useNavigate, useParams } from "react-router-dom";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DataTable } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { CheckboxField, DescriptionField, SelectField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Shown } from "../../../parts/states";
import type { AddMember, ChangeTeam, TeamMemberView, TeamView, UserView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { PageTop, Panel } from "../../parts/page";
import { RolesOf, SubjectLink } from "./roleBindings";
import { TeamSource } from "./TeamsPage";

const SOURCES: Record<string, string> = { manual: "added here", idp: "identity provider", scim: "SCIM" };

/** A team: its members and its roles. */
export function TeamPage() {
  const { team: name = "" } = useParams();
  const polled = usePolled<TeamView>(`/teams/${name}`, 10);
  return (
    <Shown polled={polled} what="the team">
      {(team) => <Details team={team} refresh={polled.refresh} />}
    </Shown>
  );
}

function Details({ team, refresh }: { team: TeamView; refresh: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const navigate = useNavigate();
  const [adding, setAdding] = useState(false);
  const [changing, setChanging] = useState(false);
  const [action, setAction] = useState<Action>();
  const mayChange = allows(me, "members.update");

  const removeMember = (member: TeamMemberView): Action => ({
    title: `Remove ${member.name} from ${team.name}`,
    explained: "The user loses the team's roles at once.",
    submit: "Remove",
    dangerous: true,
    run: async (reason) => {
      await call(`/teams/${team.id}/members/${member.user}`, { method: "DELETE", query: { reason } });
      say(`${member.name} is no more a member of ${team.name}`);
      refresh();
    },
  });
  const remove: Action = {
    title: `Delete team ${team.name}`,
    explained: "Its roles end with it: members keep only what they have by other ways.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/teams/${team.id}`, { method: "DELETE", query: { reason }, headers: ifMatch(team.revision) });
      say(`Team ${team.name} was deleted`);
      void navigate("/organization/teams");
    },
  };
  return (
    <>
      <PageTop
        title={team.name}
        above={[{ name: "Teams", to: "/organization/teams" }]}
        mark={<TeamSource team={team} />}
        help={team.description}
      >
        {mayChange ? (
          <>
            <Button size="sm" variant="outline" onClick={() => setChanging(true)}>
              Edit
            </Button>
            <Button size="sm" variant="outline" colorPalette="red" onClick={() => setAction(remove)}>
              Delete
            </Button>
          </>
        ) : undefined}
      </PageTop>
      <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
        <Panel
          title="Members"
          action={
            mayChange && !team.idp_managed ? (
              <Button size="xs" variant="outline" onClick={() => setAdding(true)}>
                Add member
              </Button>
            ) : undefined
          }
        >
          {team.members.length === 0 ? (
            <Text color="fg.muted">
              {team.idp_managed ? "No person with this team's groups has signed in yet." : "No members yet."}
            </Text>
          ) : (
            <DataTable
              label={`Members of ${team.name}`}
              columns={[
                { name: "User", cell: (member) => <SubjectLink kind="user" name={member.name} /> },
                { name: "From", cell: (member) => SOURCES[member.source] ?? member.source },
                {
                  name: "Actions",
                  quiet: true,
                  cell: (member) =>
                    mayChange && member.source === "manual" ? (
                      <RowButton dangerous label={`Remove member ${member.name}`} onClick={() => setAction(removeMember(member))}>
                        Remove
                      </RowButton>
                    ) : undefined,
                },
              ]}
              rows={team.members}
              id={(member) => member.user}
            />
          )}
        </Panel>
        <RolesOf subject={{ kind: "team", name: team.name }} />
      </SimpleGrid>
      {adding ? <AddForm team={team} onClose={() => setAdding(false)} onDone={refresh} /> : undefined}
      {changing ? <ChangeForm team={team} onClose={() => setChanging(false)} onDone={refresh} /> : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function AddForm({ team, onClose, onDone }: { team: TeamView; onClose: () => void; onDone: () => void }) {
  const say = useSay();
  const { call } = useSource();
  const users = usePolled<Page<UserView>>("/users?limit=1000", 60).data?.items ?? [];
  const [user, setUser] = useState("");
  const others = users.filter((each) => !team.members.some((member) => member.user === each.id));
  return (
    <FormDialog
      title={`Add a member to ${team.name}`}
      open
      onClose={onClose}
      submit="Add"
      onSubmit={async () => {
        const body: AddMember = { user };
        await call<TeamView>(`/teams/${team.id}/members`, { method: "POST", body });
        say(`${users.find((each) => each.id === user)?.name ?? "The user"} is a member of ${team.name}`);
        onDone();
      }}
    >
      <SelectField
        label="User"
        value={user}
        set={setUser}
        empty="Choose a user"
        options={others.map((each) => [each.id, each.full_name ? `${each.name} (${each.full_name})` : each.name])}
      />
    </FormDialog>
  );
}

function ChangeForm({ team, onClose, onDone }: { team: TeamView; onClose: () => void; onDone: () => void }) {
  const say = useSay();
  const { call } = useSource();
  const [description, setDescription] = useState(team.description);
  const [managed, setManaged] = useState(team.idp_managed);
  return (
    <FormDialog
      title={`Edit team ${team.name}`}
      open
      onClose={onClose}
      submit="Save"
      onSubmit={async () => {
        const body: ChangeTeam = { description, idp_managed: managed };
        await call<TeamView>(`/teams/${team.id}`, { method: "PATCH", body, headers: ifMatch(team.revision) });
        say(`Team ${team.name} was changed`);
        onDone();
      }}
    >
      <DescriptionField description={description} set={setDescription} />
      <CheckboxField checked={managed} set={setManaged}>
        Its members come from the identity provider only. Members that were added here leave it.
      </CheckboxField>
    </FormDialog>
  );
}
