import { Button, Field, HStack, Text, VStack } from "@chakra-ui/react";
import { useState, type FormEvent } from "react";
import { Link as RouterLink } from "react-router-dom";

import { asRefused, type Refused } from "../../../data/api";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { CheckboxField, DescriptionField, SelectField } from "../../../parts/fields";
import { NameField } from "../../../parts/NameField";
import { Problem } from "../../../parts/states";
import type { DeploymentView, NewDeployment, ReleaseView, WorkspaceClusterView, WorkspaceView } from "../../../../generated/platform";
import { linesOf } from "../../data/lines";
import { ofPlatform } from "../../data/platform";
import { ContactsField } from "../../parts/ContactsField";
import { PolicyField } from "../../parts/PolicyField";
import { SizeField } from "../../parts/SizeField";
import { Advanced } from "./Advanced";
import { ClusterField } from "./ClusterField";
import { VersionField } from "./VersionField";

type Props = { workspaces: WorkspaceView[]; releases: ReleaseView[]; onCreated: (deployment: DeploymentView) => void };

/** What a Deployment is created with. A choice of what a cluster has is made anew for another cluster. */
export function NewDeploymentForm({ workspaces, releases, onCreated }: Props) {
  const first = workspaces.find((each) => each.name === "default") ?? workspaces[0];
  const [wanted, setWanted] = useState<NewDeployment>({ name: "", workspace: first?.name ?? "default", policy: "strict" });
  const workspace = workspaces.find((each) => each.name === wanted.workspace);
  const clusters = usePolled<Page<WorkspaceClusterView>>(workspace ? `/workspaces/${workspace.id}/clusters?limit=1000` : undefined, 30).data?.items ?? [];
  const usual = clusters.find((each) => each.is_default) ?? (clusters.length === 1 ? clusters[0] : undefined);
  const cluster = wanted.cluster ? clusters.find((each) => each.name === wanted.cluster) : usual;
  const [networks, setNetworks] = useState("");
  const [variables, setVariables] = useState("");
  const [contacts, setContacts] = useState("");
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const set = (part: Partial<NewDeployment>) => setWanted((before) => ({ ...before, ...part }));
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const body = {
        ...wanted,
        name: wanted.name.trim(),
        contact_emails: linesOf(contacts),
        allowed_addresses: linesOf(networks),
        variables: linesOf(variables).map(variableOf),
      };
      onCreated(await ofPlatform.call<DeploymentView>("/deployments", { method: "POST", body }));
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={5} maxW="40em">
        <NameField name={wanted.name} set={(name) => set({ name })} placeholder="sales" note="You cannot change it later." />
        <SelectField
          label="Workspace"
          value={wanted.workspace ?? ""}
          options={workspaces.map((each) => [each.name, each.name])}
          set={(name) => set({ workspace: name, ...OF_CLUSTER, cluster: null })}
          help="Roles on the workspace also hold in this Deployment."
        />
        <ClusterField
          clusters={clusters}
          usual={usual}
          cluster={wanted.cluster ?? ""}
          set={(chosen) => set({ ...OF_CLUSTER, cluster: chosen })}
        />
        <VersionField
          releases={releases.filter((each) => cluster !== undefined && each.clusters.includes(cluster.name))}
          version={wanted.version ?? ""}
          set={(version) => set({ version: version || null })}
        />
        <SizeField sizes={cluster?.sizes ?? []} size={wanted.size ?? ""} set={(size) => set({ size })} />
        <DescriptionField description={wanted.description ?? ""} set={(description) => set({ description })} />
        <Field.Root>
          <Field.Label>Execution</Field.Label>
          <Text>Remote execution: agents run the tasks at your sites.</Text>
        </Field.Root>
        <PolicyField value={wanted.policy ?? "strict"} set={(policy) => set({ policy })} />
        <CheckboxField checked={wanted.deletion_protection ?? false} set={(deletion_protection) => set({ deletion_protection })}>
          Deletion protection
        </CheckboxField>
        <Advanced networks={networks} setNetworks={setNetworks} variables={variables} setVariables={setVariables}>
          <ContactsField text={contacts} set={setContacts} />
        </Advanced>
        {error ? <Problem error={error} /> : undefined}
        <HStack gap={3}>
          <Button type="submit" colorPalette="brand" loading={busy}>
            Create
          </Button>
          <Button asChild variant="outline">
            <RouterLink to="/deployments">Cancel</RouterLink>
          </Button>
        </HStack>
      </VStack>
    </form>
  );
}

/** What is chosen of those that a cluster has: chosen anew for another one. */
const OF_CLUSTER: Partial<NewDeployment> = { size: "", version: null };

const variableOf = (line: string) => {
  const [name = "", ...value] = line.split("=");
  return { name: name.trim(), value: value.join("=") };
};
