import { TextAreaField } from "../../parts/fields";

/** Whom people write to about a Deployment: `text` has one address in each line. */
export function ContactsField({ text, set }: { text: string; set: (text: string) => void }) {
  return (
    <TextAreaField
      label="Contact e-mails"
      placeholder="data-team@example.com"
      help="Whom to contact about this Deployment, one address per line. Its page shows them; nothing is sent."
      value={text}
      set={set}
    />
  );
}
