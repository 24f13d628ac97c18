import { Field, Textarea } from "@chakra-ui/react";

/** Whom people write to about a Deployment: `text` has one address in each line. */
export function ContactsField({ text, set }: { text: string; set: (text: string) => void }) {
  return (
    <Field.Root>
      <Field.Label>Contact e-mails</Field.Label>
      <Textarea rows={2} placeholder="data-team@example.com" value={text} onChange={(event) => set(event.target.value)} />
      <Field.HelperText>Whom people write to about this Deployment, one address in each line. Its page shows them; nothing is sent.</Field.HelperText>
    </Field.Root>
  );
}
