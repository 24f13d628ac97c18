import { Field, NativeSelect } from "@chakra-ui/react";

type Props = {
  label: string;
  value: string;
  set: (value: string) => void;
  options: (readonly [value: string, name: string])[];
  help?: string;
  empty?: string; // what is shown while nothing is chosen
  optional?: boolean;
};

/** One of several, which has to be chosen unless it is optional. */
export function Select(props: Props) {
  return (
    <Field.Root required={!props.optional}>
      <Field.Label>{props.label}</Field.Label>
      <NativeSelect.Root>
        <NativeSelect.Field value={props.value} onChange={(event) => props.set(event.target.value)}>
          {props.empty ? <option value="">{props.empty}</option> : undefined}
          {props.options.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
      {props.help ? <Field.HelperText>{props.help}</Field.HelperText> : undefined}
    </Field.Root>
  );
}
