import { TextField } from "../../parts/fields";

const SHORTEST = 12;

export type NewPassword = { password: string; again: string };

/** Whether it is long enough, and the same twice. */
export const isGood = ({ password, again }: NewPassword) => password.length >= SHORTEST && again === password;

type Props = { label: string; entered: NewPassword; set: (entered: NewPassword) => void };

/** A new password, twice. */
export function PasswordFields({ label, entered, set }: Props) {
  const { password, again } = entered;
  const missing = SHORTEST - password.length;
  return (
    <>
      <TextField
        label={label}
        required
        type="password"
        autoComplete="new-password"
        minLength={SHORTEST}
        help={`At least ${SHORTEST} characters.`}
        problem={password !== "" && missing > 0 ? `Add ${missing} more ${missing === 1 ? "character" : "characters"}.` : ""}
        value={password}
        set={(text) => set({ ...entered, password: text })}
      />
      <TextField
        label={`${label} again`}
        required
        type="password"
        autoComplete="new-password"
        problem={again !== "" && again !== password ? "The two passwords differ. Type the same one twice." : ""}
        value={again}
        set={(text) => set({ ...entered, again: text })}
      />
    </>
  );
}
