import { Field, Textarea } from "@chakra-ui/react";

/** Why something is done. The audit trail keeps it with the change. */
export function Reason({ reason, set }: { reason: string; set: (reason: string) => void }) {
  return (
    <Field.Root>
      <Field.Label>Reason</Field.Label>
      <Textarea rows={2} maxLength={1000} value={reason} onChange={(event) => set(event.target.value)} placeholder="Stored in the audit trail" />
    </Field.Root>
  );
}
