import { Alert, Field, Input, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { CheckboxField, ReasonField } from "../../../parts/fields";
import { hasInner, type Layer } from "./layer";

/** What a person enters. `name` is fixed where an entry is edited. */
export type Entered = { name: string; value: string; secret: boolean; locked: boolean };

type Props = {
  title: string;
  layer: Layer;
  from: Entered;
  isNew: boolean;
  namePattern: string;
  nameHelp: string;
  canBeSecret: boolean;
  onClose: () => void;
  save: (entered: Entered, reason: string) => Promise<void>;
};

/** The name and value of an option or a variable. The value of a secret is never shown: it is entered anew. */
export function EntryForm(props: Props) {
  const [entered, setEntered] = useState(props.from);
  const [reason, setReason] = useState("");
  const set = (part: Partial<Entered>) => setEntered((before) => ({ ...before, ...part }));
  return (
    <FormDialog title={props.title} open onClose={props.onClose} submit="Save" onSubmit={() => props.save({ ...entered, name: entered.name.trim() }, reason.trim())}>
      <Field.Root required readOnly={!props.isNew}>
        <Field.Label>Name</Field.Label>
        <Input
          required
          readOnly={!props.isNew}
          fontFamily="mono"
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          pattern={props.namePattern}
          title={props.nameHelp}
          value={entered.name}
          onChange={(event) => set({ name: event.target.value })}
        />
        {props.isNew ? <Field.HelperText>{props.nameHelp}</Field.HelperText> : undefined}
      </Field.Root>
      <Field.Root>
        <Field.Label>Value</Field.Label>
        {entered.secret ? (
          <Input type="password" autoComplete="new-password" maxLength={32768} value={entered.value} onChange={(event) => set({ value: event.target.value })} />
        ) : (
          <Textarea rows={2} maxLength={32768} fontFamily="mono" spellCheck={false} value={entered.value} onChange={(event) => set({ value: event.target.value })} />
        )}
        {props.from.secret && !props.isNew ? <Field.HelperText>The value that is set is not shown. Enter the new one.</Field.HelperText> : undefined}
      </Field.Root>
      {props.canBeSecret ? (
        <CheckboxField checked={entered.secret} set={(secret) => set({ secret })}>
          Secret: the value is never shown again
        </CheckboxField>
      ) : undefined}
      {hasInner(props.layer) ? (
        <CheckboxField checked={entered.locked} set={(locked) => set({ locked })}>
          Locked: Deployments cannot set another value
        </CheckboxField>
      ) : undefined}
      {props.layer.word === "deployment" ? undefined : (
        <Alert.Root status="info">
          <Alert.Indicator />
          <Alert.Title>Each Deployment of the {props.layer.word} has it once its own configuration is applied.</Alert.Title>
        </Alert.Root>
      )}
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
