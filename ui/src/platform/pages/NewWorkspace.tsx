import { Field, Input, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../parts/dialogs";
import { useSay } from "../../parts/news";
import type { NewWorkspace as Body, WorkspaceView } from "../../../generated/platform";
import { ofPlatform } from "../data/platform";

export function NewWorkspace({ onClose, done }: { onClose: () => void; done: () => void }) {
  const say = useSay();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  return (
    <FormDialog
      title="New workspace"
      open
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body: Body = { name: name.trim(), description };
        await ofPlatform.call<WorkspaceView>("/workspaces", { method: "POST", body });
        say(`Workspace ${body.name} was created`);
        done();
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input required maxLength={50} pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" value={name} onChange={(event) => setName(event.target.value)} />
        <Field.HelperText>Lower-case letters, digits and hyphens</Field.HelperText>
      </Field.Root>
      <Field.Root>
        <Field.Label>Description</Field.Label>
        <Textarea rows={2} maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field.Root>
    </FormDialog>
  );
}
