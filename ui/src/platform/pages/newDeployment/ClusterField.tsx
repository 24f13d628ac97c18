import { SelectField } from "../../../parts/fields";
import type { WorkspaceClusterView } from "../../../../generated/platform";

type Props = { clusters: WorkspaceClusterView[]; usual: WorkspaceClusterView | undefined; cluster: string; set: (cluster: string | null) => void };

/** Nothing where the workspace may use one cluster only: there is nothing to choose. */
export function ClusterField({ clusters, usual, cluster, set }: Props) {
  return clusters.length < 2 ? undefined : (
    <SelectField
      label="Cluster"
      value={cluster}
      options={clusters.map((each) => [each.name, optionOf(each)])}
      set={(name) => set(name || null)}
      empty={usual ? `Default of the workspace: ${usual.name}` : "Choose a cluster"}
      optional={Boolean(usual)}
      help="Where its Airflow runs. You cannot change it later."
    />
  );
}

/** Of a cluster's controller. */
const STATES: Record<string, string> = { lost: "its controller does not answer", never: "its controller has not connected yet" };

/** "north (eu-central-1)", "south (its controller does not answer)" */
const optionOf = ({ name, region, state }: WorkspaceClusterView) => {
  const notes = [region, state === "connected" ? "" : (STATES[state] ?? state)].filter(Boolean);
  return notes.length ? `${name} (${notes.join(", ")})` : name;
};
