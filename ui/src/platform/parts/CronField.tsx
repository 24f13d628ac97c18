import { Field, Input } from "@chakra-ui/react";

import { cronInWords } from "../data/cron";

type Props = { label: string; value: string; set: (value: string) => void; error: string | undefined };

/** A cron expression, with what it means in words, or what is wrong with it. */
export function CronField({ label, value, set, error }: Props) {
  const words = cronInWords(value);
  return (
    <Field.Root required invalid={error !== undefined}>
      <Field.Label>{label}</Field.Label>
      <Input required minLength={9} maxLength={100} fontFamily="mono" value={value} onChange={(event) => set(event.target.value)} />
      {error === undefined ? undefined : <Field.ErrorText>{error}</Field.ErrorText>}
      <Field.HelperText>
        A cron expression in UTC: minute, hour, day, month, weekday{words ? `. Means: ${words}` : ""}
      </Field.HelperText>
    </Field.Root>
  );
}
