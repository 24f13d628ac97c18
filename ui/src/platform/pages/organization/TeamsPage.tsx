import { Badge, Box, Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import type { Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { CheckboxField, DescriptionField } from "../../../parts/fields";
import { WhenBy } from "../../../parts/marks";
import { NameField } from "../../../parts/NameField";
import { useSay } from "../../../parts/news";
import { Nothing, Shown } from "../../../parts/states";
import type { NewTeam, TeamView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { PageTop } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";
import { SubjectLink } from "./roleBindings";

/** Teams: people who have the same roles. */
export function TeamsPage() {
  const me = useMe();
  const polled = usePolled<Page<TeamView>>("/teams?limit=1000", 10);
  const [making, setMaking] = useState(false);
  const columns: Column<TeamView>[] = [
    {
      name: "Name",
      cell: (team) => (
        <Box>
          <SubjectLink kind="team" name={team.name} />
          <Text color="fg.muted" fontSize="xs">
            {team.description}
          </Text>
        </Box>
      ),
    },
    { name: "Members", cell: (team) => team.members.length },
    { name: "Members from", cell: (team) => <TeamSource team={team} /> },
    { name: "Created", hideBelow: "md", cell: (team) => <WhenBy at={team.created_at} by={team.created_by} /> },
  ];
  return (
    <>
      <PageTop title="Teams" help="Members of a team have its roles. The identity provider's groups can be mapped to teams under Authentication.">
        {allows(me, "members.update") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Create team
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={polled} what="teams">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No teams">Create one to give several people the same roles.</Nothing>
          ) : (
            <PagedTable label="Teams" columns={columns} rows={page.items} id={(team) => team.id} />
          )
        }
      </Shown>
      {making ? <CreateTeam onClose={() => setMaking(false)} onMade={polled.refresh} /> : undefined}
    </>
  );
}

export function TeamSource({ team }: { team: TeamView }) {
  return team.idp_managed ? (
    <Badge colorPalette="purple" variant="surface" textTransform="none">
      identity provider
    </Badge>
  ) : (
    <Badge variant="surface" textTransform="none">
      this page
    </Badge>
  );
}

function CreateTeam({ onClose, onMade }: { onClose: () => void; onMade: () => void }) {
  const say = useSay();
  const { call } = useSource();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [managed, setManaged] = useState(false);
  return (
    <FormDialog
      title="Create team"
      open
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body: NewTeam = { name: name.trim(), description, idp_managed: managed };
        const made = await call<TeamView>("/teams", { method: "POST", body });
        say(`Team ${made.name} was created`);
        onMade();
      }}
    >
      <NameField name={name} set={setName} />
      <DescriptionField description={description} set={setDescription} />
      <CheckboxField checked={managed} set={setManaged}>
        Its members come from the identity provider only
      </CheckboxField>
    </FormDialog>
  );
}
