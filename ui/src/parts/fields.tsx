// Fields of forms: a label, what is entered, and below it what is wrong with it or what it is for.
import { Checkbox, Field, Input, NativeSelect, Textarea, type InputProps } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Shared = {
  label: string;
  value: string;
  set: (value: string) => void;
  help?: ReactNode;
  problem?: string; // shown instead of the help
  required?: boolean;
};

function Labelled({ label, help, problem = "", required = false, children }: Omit<Shared, "value" | "set"> & { children: ReactNode }) {
  return (
    <Field.Root required={required} invalid={problem !== ""}>
      <Field.Label>{label}</Field.Label>
      {children}
      {problem ? <Field.ErrorText>{problem}</Field.ErrorText> : help ? <Field.HelperText>{help}</Field.HelperText> : undefined}
    </Field.Root>
  );
}

/** One line of text. What else it takes is an attribute of the input. */
export function TextField({ label, value, set, help, problem, required = false, ...input }: Shared & Omit<InputProps, keyof Shared>) {
  return (
    <Labelled label={label} help={help} problem={problem} required={required}>
      <Input required={required} value={value} onChange={(event) => set(event.target.value)} {...input} />
    </Labelled>
  );
}

/** Text of several lines. */
export function TextAreaField({
  label,
  value,
  set,
  help,
  rows = 2,
  maxLength,
  placeholder,
}: Omit<Shared, "problem" | "required"> & { rows?: number; maxLength?: number; placeholder?: string }) {
  return (
    <Labelled label={label} help={help}>
      <Textarea rows={rows} maxLength={maxLength} placeholder={placeholder} value={value} onChange={(event) => set(event.target.value)} />
    </Labelled>
  );
}

/** What the thing is for. */
export function DescriptionField({ description, set }: { description: string; set: (description: string) => void }) {
  return <TextAreaField label="Description" maxLength={1000} value={description} set={set} />;
}

/** Why something is done. The audit trail keeps it with the change. */
export function ReasonField({ reason, set }: { reason: string; set: (reason: string) => void }) {
  return <TextAreaField label="Reason" maxLength={1000} placeholder="Stored in the audit trail" value={reason} set={set} />;
}

type Choice = readonly [value: string, name: string];

/** One of several, which has to be chosen unless it is optional. */
export function SelectField({
  label,
  value,
  set,
  help,
  problem,
  options,
  empty,
  optional = false,
}: Omit<Shared, "required"> & { options: readonly Choice[]; empty?: string; optional?: boolean }) {
  return (
    <Labelled label={label} help={help} problem={problem} required={!optional}>
      <NativeSelect.Root>
        <NativeSelect.Field value={value} onChange={(event: { target: { value: string } }) => set(event.target.value)}>
          {empty === undefined ? undefined : <option value="">{empty}</option>}
          {options.map(([each, name]) => (
            <option key={each} value={each}>
              {name}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
    </Labelled>
  );
}

/** Yes or no. */
export function CheckboxField({
  checked,
  set,
  disabled = false,
  mono = false,
  children,
}: {
  checked: boolean;
  set: (checked: boolean) => void;
  disabled?: boolean;
  mono?: boolean; // a name of the API, not a sentence
  children: ReactNode;
}) {
  return (
    <Checkbox.Root
      size="sm"
      checked={checked}
      disabled={disabled}
      onCheckedChange={(change: { checked: boolean | "indeterminate" }) => set(change.checked === true)}
    >
      <Checkbox.HiddenInput />
      <Checkbox.Control />
      <Checkbox.Label {...(mono ? { fontFamily: "mono", fontSize: "xs", wordBreak: "break-word" } : {})}>{children}</Checkbox.Label>
    </Checkbox.Root>
  );
}
