import { TextField } from "../../../parts/fields";

/** Where a cluster is, in the words of its owner. */
export function RegionField({ region, set }: { region: string; set: (region: string) => void }) {
  return (
    <TextField
      label="Region"
      maxLength={100}
      placeholder="eu-central-1"
      help="Shown in the choice of a cluster for a Deployment."
      value={region}
      set={set}
    />
  );
}
