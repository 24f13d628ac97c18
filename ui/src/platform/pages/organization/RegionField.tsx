import { Field, Input } from "@chakra-ui/react";

/** Where a cluster is, in the words of who owns it. */
export function RegionField({ region, set }: { region: string; set: (region: string) => void }) {
  return (
    <Field.Root>
      <Field.Label>Region</Field.Label>
      <Input maxLength={100} placeholder="eu-central-1" value={region} onChange={(event) => set(event.target.value)} />
      <Field.HelperText>Shown to those who choose a cluster for a Deployment.</Field.HelperText>
    </Field.Root>
  );
}
