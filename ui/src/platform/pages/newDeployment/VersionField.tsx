import { SelectField } from "../../../parts/fields";
import type { ReleaseView } from "../../../../generated/platform";

type Props = { releases: ReleaseView[]; version: string; set: (version: string) => void };

/** Nothing where the cluster has one version only: there is nothing to choose. */
export function VersionField({ releases, version, set }: Props) {
  if (releases.length < 2) {
    return undefined;
  }
  const newest = releases.find((each) => each.channel === "stable");
  return (
    <SelectField
      label="Airflow version"
      optional
      empty={newest ? `Newest stable: ${newest.version}` : "Newest stable"}
      options={releases.map(({ version: each, channel }) => [each, channel === "stable" ? each : `${each} (${channel})`])}
      value={version}
      set={set}
    />
  );
}
