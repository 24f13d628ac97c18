import { Button, Flex, SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DataTable } from "../../../parts/DataTable";
import { SelectField } from "../../../parts/fields";
import { When } from "../../../parts/marks";
import { Shown } from "../../../parts/states";
import type { ApiTokenView, DeploymentView, RoleBindingView, UserView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { useScopeNames } from "../../data/useScopeNames";
import { Panel } from "../../parts/page";
import { Explanation } from "../organization/Explanation";
import { PermissionList } from "../organization/PermissionList";
import { BindForm, Bindings } from "../organization/roleBindings";
import { roleTitle } from "../organization/roles";

/** Who may do what in a Deployment, and why. */
export function AccessPage({ deployment }: { deployment: DeploymentView }) {
  const me = useMe();
  const here = { workspace: deployment.workspace, deployment: deployment.id };
  return allows(me, "members.get", here) ? (
    <Access deployment={deployment} mayChange={allows(me, "members.update", here)} />
  ) : (
    <OwnAccess deployment={deployment} />
  );
}

function Access({ deployment, mayChange }: { deployment: DeploymentView; mayChange: boolean }) {
  return (
    <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
      <VStack align="stretch" gap={4}>
        <RolesHere deployment={deployment} mayChange={mayChange} />
        <TokensHere deployment={deployment} />
      </VStack>
      <Why deployment={deployment} />
    </SimpleGrid>
  );
}

function RolesHere({ deployment, mayChange }: { deployment: DeploymentView; mayChange: boolean }) {
  const polled = usePolled<Page<RoleBindingView>>("/role-bindings?limit=1000", 10);
  const [giving, setGiving] = useState(false);
  return (
    <Panel
      title="Roles that hold here"
      action={
        mayChange ? (
          <Button size="xs" variant="outline" onClick={() => setGiving(true)}>
            Bind role
          </Button>
        ) : undefined
      }
    >
      <Text color="fg.muted" mb={3}>
        On the Deployment, on its workspace {deployment.workspace_name}, and on the organization.
      </Text>
      <Shown polled={polled} what="roles">
        {(page) => {
          const holding = page.items.filter((binding) => holds(binding, deployment));
          return holding.length === 0 ? (
            <Text color="fg.muted">No role, as far as you may see.</Text>
          ) : (
            <Bindings bindings={holding} refresh={polled.refresh} />
          );
        }}
      </Shown>
      {giving ? (
        <BindForm scope={{ level: "deployment", deployment }} onClose={() => setGiving(false)} onDone={polled.refresh} />
      ) : undefined}
    </Panel>
  );
}

/** Whether a role or a token of that scope counts in the Deployment. */
function holds(one: { workspace: string | null; deployment: string | null }, deployment: DeploymentView): boolean {
  if (one.deployment !== null) {
    return one.deployment === deployment.id;
  }
  return one.workspace === null || one.workspace === deployment.workspace;
}

function Why({ deployment }: { deployment: DeploymentView }) {
  const me = useMe();
  const users = usePolled<Page<UserView>>("/users?limit=1000", 60);
  const [chosen, setChosen] = useState(me.user === null ? "" : me.name);
  const names = users.data?.items.map((each) => each.name) ?? (chosen ? [chosen] : []);
  return (
    <Panel title="What a user can do here, and why">
      <Flex mb={4} maxW="24em">
        <SelectField
          label="User"
          value={chosen}
          set={setChosen}
          empty="Choose a user"
          options={names.map((each) => [each, each])}
        />
      </Flex>
      {chosen ? <Explanation user={chosen} deployment={deployment.id} /> : undefined}
    </Panel>
  );
}

function TokensHere({ deployment }: { deployment: DeploymentView }) {
  const scope = useScopeNames();
  const polled = usePolled<Page<ApiTokenView>>("/api-tokens?limit=1000", 30);
  return (
    <Panel title="API tokens that hold here">
      <Shown polled={polled} what="API tokens">
        {(page) => {
          const holding = page.items.filter((token) => holds(token, deployment));
          return holding.length === 0 ? (
            <Text color="fg.muted">No API token, as far as you may see.</Text>
          ) : (
            <DataTable
              label="API tokens"
              columns={[
                { name: "Name", cell: (token) => <Text fontWeight="semibold">{token.name}</Text> },
                { name: "Role", cell: (token) => roleTitle(token.role) },
                { name: "Scope", cell: scope },
                { name: "Owner", hideBelow: "md", cell: (token) => token.owner || "–" },
                { name: "Last used", hideBelow: "md", cell: (token) => <When at={token.last_used_at} /> },
              ]}
              rows={holding}
              id={(token) => token.id}
            />
          );
        }}
      </Shown>
    </Panel>
  );
}

/** The caller's own roles here, for who may not read those of others. */
function OwnAccess({ deployment }: { deployment: DeploymentView }) {
  const me = useMe();
  const holding = me.grants.filter((each) => holds(each, deployment));
  return (
    <Panel title="Your roles here">
      <DataTable
        label="Your roles"
        columns={[
          { name: "Role", cell: (grant) => roleTitle(grant.role) },
          { name: "Allows", cell: (grant) => <PermissionList permissions={grant.permissions} /> },
        ]}
        rows={holding}
        id={(grant) => `${grant.role} ${grant.workspace ?? ""} ${grant.deployment ?? ""}`}
      />
      <Text mt={3} color="fg.muted">
        Ask an owner of the workspace {deployment.workspace_name} for another role.
      </Text>
    </Panel>
  );
}
