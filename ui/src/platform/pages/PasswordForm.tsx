import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { Refused } from "../../data/api";
import { FormDialog } from "../../parts/dialogs";
import { TextField } from "../../parts/fields";
import { useSay } from "../../parts/news";
import type { NewPassword } from "../../../generated/platform";
import { ask } from "../data/platform";
import { isGood, PasswordFields } from "../parts/PasswordFields";

/** Another password. A session that was begun with a link of the platform's machine needs no current one. */
export function PasswordForm({ needsCurrent, onClose }: { needsCurrent: boolean; onClose: () => void }) {
  const say = useSay();
  const [current, setCurrent] = useState("");
  const [entered, setEntered] = useState({ password: "", again: "" });
  return (
    <FormDialog
      title="Change password"
      open
      onClose={onClose}
      submit="Change password"
      onSubmit={async () => {
        const { password } = entered;
        if (!isGood(entered)) {
          throw new Refused(422, "malformed", "The new password is too short, or the two differ", "Type the same one twice, with at least 12 characters.");
        }
        const body: NewPassword = needsCurrent ? { current, password } : { password };
        await ask("/sign-in/password", { method: "POST", body });
        say("Your password was changed, and your other sessions have ended");
      }}
    >
      <Text color="fg.muted">Your other sessions end.</Text>
      {needsCurrent ? (
        <TextField label="Current password" required type="password" autoComplete="current-password" value={current} set={setCurrent} />
      ) : undefined}
      <PasswordFields label="New password" entered={entered} set={setEntered} />
    </FormDialog>
  );
}
