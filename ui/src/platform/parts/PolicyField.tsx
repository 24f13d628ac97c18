import { TextField } from "../../parts/fields";

/** What may leave the sites, at most. */
export function PolicyField({ value, set }: { value: string; set: (policy: string) => void }) {
  return (
    <TextField
      label="Data policy"
      required
      maxLength={1000}
      pattern="(strict|open)(, ?[A-Za-z0-9][A-Za-z0-9._\-]*=(strict|open))*"
      title="strict or open, and exceptions of sites: strict, lab=open"
      help={
        <>
          The least strict policy that sites may use. <code>strict</code>: no values, logs or code leave a site. Exceptions by site:{" "}
          <code>strict, lab=open</code>.
        </>
      }
      value={value}
      set={set}
    />
  );
}
