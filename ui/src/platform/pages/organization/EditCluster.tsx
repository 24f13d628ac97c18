import { useState } from "react";

import { useSource } from "../../../data/source";
import { FormDialog } from "../../../parts/dialogs";
import { NameField } from "../../../parts/NameField";
import type { ChangeCluster, ClusterView } from "../../../../generated/platform";
import { ifMatch } from "../../data/platform";
import { RegionField } from "./RegionField";
import { usePlaces } from "./scopes";
import { WorkspacesField } from "./WorkspacesField";

/** Name, region, and the workspaces that may use the cluster. */
export function EditCluster({
  cluster,
  onClose,
  onDone,
}: {
  cluster: ClusterView;
  onClose: () => void;
  onDone: (cluster: ClusterView) => void;
}) {
  const { call } = useSource();
  const places = usePlaces();
  const [name, setName] = useState(cluster.name);
  const [region, setRegion] = useState(cluster.region);
  const [workspaces, setWorkspaces] = useState(cluster.workspaces);
  return (
    <FormDialog
      title={`Edit cluster ${cluster.name}`}
      open
      onClose={onClose}
      submit="Save"
      onSubmit={async () => {
        const body: ChangeCluster = { name: name.trim(), region: region.trim(), workspaces };
        onDone(await call<ClusterView>(`/clusters/${cluster.id}`, { method: "PATCH", body, headers: ifMatch(cluster.revision) }));
      }}
    >
      <NameField name={name} set={setName} note="The cluster ID and the addresses stay the same." />
      <RegionField region={region} set={setRegion} />
      <WorkspacesField all={places.workspaces} chosen={workspaces} onChosen={setWorkspaces} />
    </FormDialog>
  );
}
