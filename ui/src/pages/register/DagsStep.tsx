import { SimpleGrid } from "@chakra-ui/react";

import { SelectField, TextField } from "../../parts/fields";
import type { StepProps } from "./form";

const KINDS = [
  ["git", "Git repository"],
  ["folder", "Folder on the agent's machine"],
  ["none", "No Dags (triggers only)"],
] as const;

/** Where the agent's Dags come from. */
export function DagsStep({ form: { bundle }, set, problem }: StepProps) {
  const part = (field: keyof typeof bundle, isAskedEmpty = true) => ({
    value: bundle[field],
    set: (text: string) => set({ bundle: { ...bundle, [field]: text } }),
    problem: isAskedEmpty || bundle[field] ? problem(`bundle.${field}`) : "",
  });
  return (
    <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
      <SelectField
        label="Dag source"
        optional
        options={KINDS}
        {...part("kind")}
        set={(kind) => set({ bundle: { ...bundle, kind, folder: "" } })}
      />
      {bundle.kind === "none" ? undefined : (
        <TextField label="Bundle name" help="Use the same name on every agent of the site" {...part("name")} />
      )}
      {bundle.kind === "git" ? (
        <>
          <TextField label="Repository" placeholder="https://git.example.com/team/dags.git" {...part("repository", false)} />
          <TextField label="Branch or tag" {...part("reference")} />
          <TextField label="Subfolder" help="Leave empty for the whole repository" {...part("folder")} />
          <TextField
            label="Connection of a private repository"
            help="Connection ID in the site's secrets backend. Leave empty for a public repository"
            {...part("connection")}
          />
        </>
      ) : bundle.kind === "folder" ? (
        <TextField label="Folder" placeholder="/srv/dags" {...part("folder", false)} />
      ) : undefined}
    </SimpleGrid>
  );
}
