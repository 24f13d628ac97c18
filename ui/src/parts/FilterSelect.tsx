import { NativeSelect } from "@chakra-ui/react";

type Props = {
  label: string; // for screen readers
  all: string; // what is shown while nothing is filtered
  options: readonly (readonly [value: string, name: string])[];
  value: string;
  set: (value: string) => void;
};

/** Narrows a list to one value, or to none. */
export function FilterSelect({ label, all, options, value, set }: Props) {
  return (
    <NativeSelect.Root size="sm" w="auto" minW="11em">
      <NativeSelect.Field aria-label={label} value={value} onChange={(event: { target: { value: string } }) => set(event.target.value)}>
        <option value="">{all}</option>
        {options.map(([each, name]) => (
          <option key={each} value={each}>
            {name}
          </option>
        ))}
      </NativeSelect.Field>
      <NativeSelect.Indicator />
    </NativeSelect.Root>
  );
}
