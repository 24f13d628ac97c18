import { Badge, Box, Button, Input, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { count, spaced } from "../../../data/words";
import type { Column } from "../../../parts/DataTable";
import { Tags, When } from "../../../parts/marks";
import { Nothing, Shown } from "../../../parts/states";
import type { UserView } from "../../../../generated/platform";
import { allowsSomewhere, useMe } from "../../data/permissions";
import { PageTop } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";
import { SubjectLink } from "./roleBindings";

/** People who have signed in, or who have a password here. */
export function UsersPage() {
  const me = useMe();
  const polled = usePolled<Page<UserView>>("/users?limit=1000", 10);
  const [sought, setSought] = useState("");
  const columns: Column<UserView>[] = [
    {
      name: "Name",
      cell: (user) => (
        <Box>
          <SubjectLink kind="user" name={user.name} />
          <Text color="fg.muted" fontSize="xs">
            {user.full_name}
          </Text>
        </Box>
      ),
    },
    { name: "E-mail", hideBelow: "md", cell: (user) => user.email || "–" },
    { name: "Status", cell: (user) => <UserStatus user={user} /> },
    { name: "Teams", hideBelow: "lg", cell: (user) => <Tags names={user.teams} /> },
    { name: "Signs in by", hideBelow: "lg", cell: (user) => user.signs_in_by.map(spaced).join(", ") || "–" },
    { name: "Last sign-in", cell: (user) => <When at={user.signed_in_at} /> },
  ];
  return (
    <>
      <PageTop title="Users" help="A person becomes a user at the first sign-in. Create an invite to give a role before that.">
        {allowsSomewhere(me, "members.update") ? (
          <Button asChild size="sm" colorPalette="brand">
            <RouterLink to="/organization/invites">Invite</RouterLink>
          </Button>
        ) : undefined}
      </PageTop>
      <Input
        size="sm"
        maxW="20em"
        mb={4}
        aria-label="Search users"
        placeholder="Search name, e-mail or team"
        value={sought}
        onChange={(event) => setSought(event.target.value)}
      />
      <Shown polled={polled} what="users">
        {(page) => {
          const words = sought.trim().toLowerCase();
          const rows = page.items.filter((user) =>
            [user.name, user.full_name, user.email, ...user.teams].some((text) => text.toLowerCase().includes(words)),
          );
          return rows.length === 0 ? (
            <Nothing title="No users">No user has “{sought}” in the name, the e-mail address or a team.</Nothing>
          ) : (
            <>
              <PagedTable label="Users" columns={columns} rows={rows} id={(user) => user.id} />
              <Text mt={2} color="fg.muted" fontSize="sm">
                {count(rows.length, "user")}
              </Text>
            </>
          );
        }}
      </Shown>
    </>
  );
}

export function UserStatus({ user }: { user: UserView }) {
  return (
    <Badge colorPalette={user.status === "active" ? "green" : "gray"} variant="surface">
      {user.status}
    </Badge>
  );
}
