import { useState } from "react";

import { TextField } from "../../parts/fields";

/** The form is sent once the name of the Deployment has been typed. */
export function ConfirmName({ name }: { name: string }) {
  const [typed, setTyped] = useState("");
  return (
    <TextField
      label={`Type ${name} to confirm`}
      required
      autoComplete="off"
      autoCapitalize="none"
      pattern={name}
      title={`The name of the Deployment: ${name}`}
      value={typed}
      set={setTyped}
    />
  );
}
