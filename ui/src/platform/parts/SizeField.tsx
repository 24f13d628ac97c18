import { SelectField } from "../../parts/fields";

/** The size of a Deployment, of those that its cluster has. Nothing where it has none. */
export function SizeField({ sizes, size, set }: { sizes: readonly string[]; size: string; set: (size: string) => void }) {
  const known = size && !sizes.includes(size) ? [size, ...sizes] : sizes;
  return known.length === 0 ? undefined : (
    <SelectField
      label="Size"
      optional
      value={size}
      options={[["", "Default"], ...known.map((each) => [each, each] as const)]}
      set={set}
      help="What its API servers and scheduler have: replicas, processor, memory. The cluster's owner names the sizes."
    />
  );
}
