import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { FormDialog } from "../../../parts/dialogs";
import { DescriptionField, SelectField, TextField } from "../../../parts/fields";
import { NameField } from "../../../parts/NameField";
import type { ChangeWorkspace, ClusterView, NewWorkspace, WorkspaceClusterView, WorkspaceView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";

type Props = {
  workspace?: WorkspaceView; // none: a new one is made
  onClose: () => void;
  onDone: (workspace: WorkspaceView) => void;
};

/** A workspace's name, its default cluster, and its quota for those who may set it. */
export function WorkspaceForm({ workspace, onClose, onDone }: Props) {
  const me = useMe();
  const { call } = useSource();
  const clusters = useClusters(workspace);
  const [name, setName] = useState(workspace?.name ?? "");
  const [description, setDescription] = useState(workspace?.description ?? "");
  const [atMost, setAtMost] = useState(String(workspace?.deployments_at_most ?? ""));
  const [cluster, setCluster] = useState(workspace?.default_cluster_name ?? "");
  const send = () => {
    const body = {
      name: name.trim(),
      description,
      ...(clusters ? { default_cluster: cluster || null } : {}),
      ...(allows(me, "organization.update") ? { deployments_at_most: atMost === "" ? null : Number(atMost) } : {}),
    } satisfies NewWorkspace & ChangeWorkspace;
    return workspace
      ? call<WorkspaceView>(`/workspaces/${workspace.id}`, { method: "PATCH", body, headers: ifMatch(workspace.revision) })
      : call<WorkspaceView>("/workspaces", { method: "POST", body });
  };
  return (
    <FormDialog
      title={workspace ? `Edit workspace ${workspace.name}` : "Create workspace"}
      open
      onClose={onClose}
      submit={workspace ? "Save" : "Create"}
      onSubmit={async () => onDone(await send())}
    >
      <NameField name={name} set={setName} />
      <DescriptionField description={description} set={setDescription} />
      {allows(me, "organization.update") ? (
        <TextField
          label="Deployments at most"
          type="number"
          min={0}
          max={100_000}
          step={1}
          help="Leave empty for no limit. A lower limit does not end existing Deployments."
          value={atMost}
          set={setAtMost}
        />
      ) : undefined}
      {clusters ? (
        <SelectField
          label="Default cluster"
          value={cluster}
          options={clusters.map(([name, note]) => [name, note ? `${name} (${note})` : name])}
          set={setCluster}
          empty="None"
          optional
          help="Deployments without a cluster of their own run here."
        />
      ) : undefined}
    </FormDialog>
  );
}

/** The clusters that the workspace may use, each with a note: of a new one, those that all workspaces may use. */
function useClusters(workspace: WorkspaceView | undefined): [name: string, note: string][] | undefined {
  const me = useMe();
  const all = usePolled<Page<ClusterView>>(!workspace && allows(me, "clusters.get") ? "/clusters?limit=1000" : undefined, 60).data?.items;
  const its = usePolled<Page<WorkspaceClusterView>>(workspace ? `/workspaces/${workspace.id}/clusters?limit=1000` : undefined, 60).data?.items;
  const found = its ?? all?.filter((each) => each.workspaces?.length === 0);
  const now = workspace?.default_cluster_name;
  const gone: [string, string][] = now && found && !found.some((each) => each.name === now) ? [[now, "the workspace may not use it"]] : [];
  return found && [...found.map((each): [string, string] => [each.name, ""]), ...gone];
}
