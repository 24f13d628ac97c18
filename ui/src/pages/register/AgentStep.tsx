import { Box, Checkbox, CheckboxGroup, Fieldset, HStack, SimpleGrid, Text } from "@chakra-ui/react";

import { spaced } from "../../data/words";
import { TextField } from "../../parts/fields";
import { COMPONENTS, type StepProps } from "./form";

/** The agent itself: its name, how much it runs, of which queues, and which processes it has. */
export function AgentStep({ form, set, problem }: StepProps) {
  return (
    <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
      <TextField label="Agent name" value={form.name} set={(name) => set({ name })} problem={problem("name")} />
      <TextField label="Slots" type="number" value={form.slots} set={(slots) => set({ slots })} problem={problem("slots")} />
      {form.plane_url || problem("plane_url") ? (
        <TextField
          label="Address for agents"
          placeholder="https://k3.external.example.com/d4f2"
          value={form.plane_url}
          set={(plane_url) => set({ plane_url })}
          problem={problem("plane_url")}
        />
      ) : undefined}
      <TextField label="Queues" help="Separated by commas" value={form.queues} set={(queues) => set({ queues })} problem={problem("queues")} />
      <TextField
        label="Folder with Tradewind's packages"
        help="On the agent's machine, as `make dist` builds it. Leave empty to use the package index"
        value={form.packages}
        set={(packages) => set({ packages })}
        problem={problem("packages")}
      />
      <Components form={form} set={set} problem={problem} />
    </SimpleGrid>
  );
}

function Components({ form, set, problem }: StepProps) {
  return (
    <Box>
      <Fieldset.Root>
        <CheckboxGroup value={form.components} onValueChange={(components) => set({ components })}>
          <Fieldset.Legend fontSize="sm" fontWeight="medium" mb={2}>
            Components
          </Fieldset.Legend>
          <HStack gap={4} wrap="wrap">
            {COMPONENTS.map((each) => (
              <Checkbox.Root key={each} value={each} size="sm">
                <Checkbox.HiddenInput />
                <Checkbox.Control />
                <Checkbox.Label>{spaced(each)}</Checkbox.Label>
              </Checkbox.Root>
            ))}
          </HStack>
        </CheckboxGroup>
      </Fieldset.Root>
      {problem("components") ? (
        <Text color="fg.error" fontSize="xs" mt={1}>
          {problem("components")}
        </Text>
      ) : undefined}
    </Box>
  );
}
