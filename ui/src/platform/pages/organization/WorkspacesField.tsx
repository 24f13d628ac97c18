import { Checkbox, Fieldset, Stack } from "@chakra-ui/react";

import type { WorkspaceView } from "../../../../generated/platform";

/** Which workspaces something is for. None chosen: all of them. */
export function WorkspacesField({
  legend = "Workspaces that may use it",
  all,
  chosen,
  onChosen,
}: {
  legend?: string;
  all: WorkspaceView[];
  chosen: string[];
  onChosen: (ids: string[]) => void;
}) {
  return (
    <Fieldset.Root size="sm">
      <Fieldset.Legend>{legend}</Fieldset.Legend>
      <Fieldset.HelperText>All, when none is chosen</Fieldset.HelperText>
      <Fieldset.Content mt={2}>
        <Stack gap={2} maxH="12em" overflowY="auto">
          {all.map((each) => (
            <Checkbox.Root
              key={each.id}
              size="sm"
              checked={chosen.includes(each.id)}
              onCheckedChange={(changed: { checked: boolean | "indeterminate" }) =>
                onChosen(changed.checked === true ? [...chosen, each.id] : chosen.filter((id) => id !== each.id))
              }
            >
              <Checkbox.HiddenInput />
              <Checkbox.Control />
              <Checkbox.Label>{each.name}</Checkbox.Label>
            </Checkbox.Root>
          ))}
        </Stack>
      </Fieldset.Content>
    </Fieldset.Root>
  );
}
