import { Field, Input, Text } from "@chakra-ui/react";
import { useState } from "react";

import { Refused } from "../../data/api";
import { FormDialog } from "../../parts/dialogs";
import { useSay } from "../../parts/news";
import type { NewPassword } from "../../../generated/platform";
import { ask } from "../data/platform";

const LEAST = 12;

/** Another password. A session that was begun with a link of the platform's machine needs no current one. */
export function PasswordForm({ needsCurrent, onClose }: { needsCurrent: boolean; onClose: () => void }) {
  const say = useSay();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const differs = again !== "" && again !== password;
  return (
    <FormDialog
      title="Change password"
      open
      onClose={onClose}
      submit="Change password"
      onSubmit={async () => {
        if (again !== password) {
          throw new Refused(422, "malformed", "The two new passwords differ", "Type the same one twice.");
        }
        const body: NewPassword = needsCurrent ? { current, password } : { password };
        await ask("/sign-in/password", { method: "POST", body });
        say("Your password was changed, and your other sessions have ended");
      }}
    >
      <Text color="fg.muted">Your other sessions end.</Text>
      {needsCurrent ? (
        <Field.Root required>
          <Field.Label>Current password</Field.Label>
          <Input
            required
            type="password"
            autoComplete="current-password"
            value={current}
            onChange={(event) => setCurrent(event.target.value)}
          />
        </Field.Root>
      ) : undefined}
      <Field.Root required>
        <Field.Label>New password</Field.Label>
        <Input
          required
          type="password"
          autoComplete="new-password"
          minLength={LEAST}
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
        <Field.HelperText>{LEAST} characters at least</Field.HelperText>
      </Field.Root>
      <Field.Root required invalid={differs}>
        <Field.Label>New password again</Field.Label>
        <Input required type="password" autoComplete="new-password" value={again} onChange={(event) => setAgain(event.target.value)} />
        {differs ? <Field.ErrorText>The two passwords differ</Field.ErrorText> : undefined}
      </Field.Root>
    </FormDialog>
  );
}
