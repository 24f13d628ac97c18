import { Button, HStack, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { WhenBy } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Nothing, Shown } from "../../../parts/states";
import type { WorkspaceView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { PageTop } from "../../parts/page";
import { usePlaces } from "./scopes";
import { WorkspaceForm } from "./WorkspaceForm";

/** Workspaces: what groups Deployments of people who work together. */
export function WorkspacesPage() {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const polled = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 10);
  const { deployments } = usePlaces();
  const [making, setMaking] = useState(false);
  const [changing, setChanging] = useState<WorkspaceView>();
  const [action, setAction] = useState<Action>();

  const remove = (workspace: WorkspaceView): Action => ({
    title: `Delete workspace ${workspace.name}`,
    explained: "Roles and API tokens on the workspace end with it. A workspace that has Deployments is not deleted.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/workspaces/${workspace.id}`, { method: "DELETE", query: { reason }, headers: ifMatch(workspace.revision) });
      say(`Workspace ${workspace.name} was deleted`);
      polled.refresh();
    },
  });
  const columns: Column<WorkspaceView>[] = [
    {
      name: "Name",
      cell: (workspace) => (
        <>
          <Text fontWeight="semibold">{workspace.name}</Text>
          <Text color="fg.muted" fontSize="xs">
            {workspace.description}
          </Text>
        </>
      ),
    },
    {
      name: "Deployments",
      cell: (workspace) => (
        <>
          <Link asChild color="fg.info">
            <RouterLink to={`/deployments?workspace=${workspace.name}`}>
              {workspace.deployments ?? deployments.filter((each) => each.workspace === workspace.id).length}
              {workspace.deployments_at_most == null ? "" : ` of ${workspace.deployments_at_most}`}
            </RouterLink>
          </Link>
          {isAboveQuota(workspace) ? (
            <Text color="fg.warning" fontSize="xs">
              above the quota: none is created or restored
            </Text>
          ) : undefined}
        </>
      ),
    },
    { name: "Default cluster", hideBelow: "md", cell: (workspace) => workspace.default_cluster_name },
    { name: "Created", hideBelow: "md", cell: (workspace) => <WhenBy at={workspace.created_at} by={workspace.created_by} /> },
    { name: "Changed", hideBelow: "lg", cell: (workspace) => <WhenBy at={workspace.updated_at} by={workspace.updated_by} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (workspace) => (
        <HStack gap={2}>
          {allows(me, "workspace.update", { workspace: workspace.id }) ? (
            <RowButton label={`Edit workspace ${workspace.name}`} onClick={() => setChanging(workspace)}>
              Edit
            </RowButton>
          ) : undefined}
          {allows(me, "workspace.delete", { workspace: workspace.id }) ? (
            <RowButton dangerous label={`Delete workspace ${workspace.name}`} onClick={() => setAction(remove(workspace))}>
              Delete
            </RowButton>
          ) : undefined}
        </HStack>
      ),
    },
  ];
  return (
    <>
      <PageTop title="Workspaces" help="A workspace groups the Deployments of people who work together. Roles on it hold in each of them.">
        {allows(me, "workspace.create") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Create workspace
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={polled} what="workspaces">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No workspaces">Ask an owner of the organization for a role on one.</Nothing>
          ) : (
            <DataTable label="Workspaces" columns={columns} rows={page.items} id={(workspace) => workspace.id} />
          )
        }
      </Shown>
      {making || changing ? (
        <WorkspaceForm
          {...(changing ? { workspace: changing } : {})}
          onClose={() => {
            setMaking(false);
            setChanging(undefined);
          }}
          onDone={(workspace) => {
            say(`Workspace ${workspace.name} was ${changing ? "changed" : "created"}`);
            polled.refresh();
          }}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

const isAboveQuota = ({ deployments, deployments_at_most: atMost }: WorkspaceView) =>
  deployments != null && atMost != null && deployments > atMost;
