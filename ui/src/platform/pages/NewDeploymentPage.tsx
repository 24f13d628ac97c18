import { Alert, Box, Button, Checkbox, Field, HStack, Input, NativeSelect, Text, Textarea, VStack } from "@chakra-ui/react";
import { useState, type FormEvent, type ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { usePolled } from "../../data/usePolled";
import { Loading, Nothing, Problem, Shown } from "../../parts/states";
import type { DeploymentView, NewDeployment, OperationView, ReleaseView, WorkspaceClusterView, WorkspaceView } from "../../../generated/platform";
import { allows, allowsSomewhere, useMe } from "../data/permissions";
import { linesOf } from "../data/lines";
import { ofPlatform } from "../data/platform";
import type { Page } from "../data/types";
import { OperationBadge } from "../parts/marks";
import { PageTop, Panel } from "../parts/page";
import { Select } from "../parts/Select";
import { Steps } from "../parts/Steps";
import { ContactsField } from "./ContactsField";
import { SizeField } from "./SizeField";

const ABOVE = [{ name: "Deployments", to: "/deployments" }];

/** Asks for a Deployment, and shows its steps until it runs. */
export function NewDeploymentPage() {
  const me = useMe();
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 30);
  const releases = usePolled<Page<ReleaseView>>("/releases?limit=1000", 60);
  const [made, setMade] = useState<DeploymentView>();
  return (
    <>
      <PageTop title="New Deployment" above={ABOVE} />
      {made ? (
        <Making made={made} />
      ) : !allowsSomewhere(me, "deployment.create") ? (
        <Nothing title="Your role does not create Deployments">Ask an owner of a workspace for the role of an operator.</Nothing>
      ) : (
        <Shown polled={workspaces} what="workspaces">
          {(page) => (
            <Form
              workspaces={page.items.filter((each) => allows(me, "deployment.create", { workspace: each.id }))}
              releases={releases.data?.items ?? []}
              onMade={setMade}
            />
          )}
        </Shown>
      )}
    </>
  );
}

type FormProps = { workspaces: WorkspaceView[]; releases: ReleaseView[]; onMade: (made: DeploymentView) => void };

function Form({ workspaces, releases, onMade }: FormProps) {
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
      onMade(await ofPlatform.call<DeploymentView>("/deployments", { method: "POST", body }));
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={5} maxW="40em">
        <Field.Root required>
          <Field.Label>Name</Field.Label>
          <Input
            required
            maxLength={50}
            pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
            title="Lower-case letters, digits and hyphens"
            placeholder="sales"
            value={wanted.name}
            onChange={(event) => set({ name: event.target.value })}
          />
          <Field.HelperText>Lower-case letters, digits and hyphens. It cannot be changed later.</Field.HelperText>
        </Field.Root>
        <Select
          label="Workspace"
          value={wanted.workspace ?? ""}
          options={workspaces.map((each) => [each.name, each.name])}
          set={(name) => set({ workspace: name, ...OF_CLUSTER, cluster: null })}
          help="Who has a role in the workspace has it in this Deployment, too."
        />
        {clusters.length > 1 ? (
          <Select
            label="Cluster"
            value={wanted.cluster ?? ""}
            options={clusters.map((each) => [each.name, optionOf(each)])}
            set={(name) => set({ ...OF_CLUSTER, cluster: name || null })}
            empty={usual ? `That of the workspace: ${usual.name}` : "Choose a cluster"}
            optional={Boolean(usual)}
            help="Where its Airflow runs. It cannot be changed later."
          />
        ) : undefined}
        <VersionField
          releases={releases.filter((each) => cluster !== undefined && each.clusters.includes(cluster.name))}
          version={wanted.version ?? ""}
          set={(version) => set({ version: version || null })}
        />
        <SizeField sizes={cluster?.sizes ?? []} size={wanted.size ?? ""} set={(size) => set({ size })} />
        <Field.Root>
          <Field.Label>Description</Field.Label>
          <Textarea rows={2} maxLength={1000} value={wanted.description ?? ""} onChange={(event) => set({ description: event.target.value })} />
        </Field.Root>
        <Field.Root>
          <Field.Label>Execution</Field.Label>
          <Text>Remote execution: tasks run by agents at your sites, never here.</Text>
        </Field.Root>
        <PolicyField value={wanted.policy ?? "strict"} set={(policy) => set({ policy })} />
        <Ticked checked={wanted.deletion_protection ?? false} set={(deletion_protection) => set({ deletion_protection })}>
          Protect from deletion
        </Ticked>
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

/** Of a cluster's controller. */
const STATES: Record<string, string> = { lost: "its controller does not answer", never: "its controller has not connected yet" };

/** "north (eu-central-1)", "south (its controller does not answer)" */
const optionOf = ({ name, region, state }: WorkspaceClusterView) => {
  const notes = [region, state === "connected" ? "" : (STATES[state] ?? state)].filter(Boolean);
  return notes.length ? `${name} (${notes.join(", ")})` : name;
};

const variableOf = (line: string) => {
  const [name = "", ...value] = line.split("=");
  return { name: name.trim(), value: value.join("=") };
};

type AdvancedProps = {
  networks: string;
  setNetworks: (networks: string) => void;
  variables: string;
  setVariables: (variables: string) => void;
  children: ReactNode; // fields that come first
};

/** What a Deployment has from its first start on, and most people set later or never. */
function Advanced({ networks, setNetworks, variables, setVariables, children }: AdvancedProps) {
  const [open, setOpen] = useState(false);
  const me = useMe();
  const mine = me.session?.address;
  return (
    <Box>
      <Button type="button" variant="ghost" size="sm" px={1} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Hide advanced settings" : "Advanced settings"}
      </Button>
      {open ? (
        <VStack align="stretch" gap={5} mt={3} ps={4} borderStartWidth="2px">
          {children}
          <Field.Root>
            <Field.Label>Allowed IP ranges</Field.Label>
            <Textarea rows={3} placeholder="203.0.113.0/24" value={networks} onChange={(event) => setNetworks(event.target.value)} />
            <Field.HelperText>
              Networks that agents may connect from, one in each line. None: from anywhere. {mine ? `Your own address is ${mine}. ` : ""}People are not
              restricted.
            </Field.HelperText>
          </Field.Root>
          <Field.Root>
            <Field.Label>Environment variables</Field.Label>
            <Textarea rows={3} placeholder="REGION=eu" value={variables} onChange={(event) => setVariables(event.target.value)} />
            <Field.HelperText>Of the processes of Airflow, one NAME=VALUE in each line. Set secrets on its page Environment: they are never shown there.</Field.HelperText>
          </Field.Root>
        </VStack>
      ) : undefined}
    </Box>
  );
}

/** Nothing where the cluster has one version only: there is nothing to choose. */
function VersionField({ releases, version, set }: { releases: ReleaseView[]; version: string; set: (version: string) => void }) {
  if (releases.length < 2) {
    return undefined;
  }
  const newest = releases.find((each) => each.channel === "stable");
  return (
    <Field.Root>
      <Field.Label>Airflow version</Field.Label>
      <NativeSelect.Root>
        <NativeSelect.Field value={version} onChange={(event) => set(event.target.value)}>
          <option value="">{newest ? `The newest stable one: ${newest.version}` : "The newest stable one"}</option>
          {releases.map((each) => (
            <option key={each.version} value={each.version}>
              {each.channel === "stable" ? each.version : `${each.version} (${each.channel})`}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
    </Field.Root>
  );
}

/** What may leave the sites, at most. */
export function PolicyField({ value, set }: { value: string; set: (policy: string) => void }) {
  return (
    <Field.Root>
      <Field.Label>Data policy</Field.Label>
      <Input
        required
        maxLength={1000}
        pattern="(strict|open)(, ?[A-Za-z0-9][A-Za-z0-9._\-]*=(strict|open))*"
        title="strict or open, and exceptions of sites: strict, lab=open"
        value={value}
        onChange={(event) => set(event.target.value)}
      />
      <Field.HelperText>
        The least strict one that sites may use. <code>strict</code>: no values, logs or code leave a site. Exceptions by site:{" "}
        <code>strict, lab=open</code>.
      </Field.HelperText>
    </Field.Root>
  );
}

export function Ticked({ checked, set, children }: { checked: boolean; set: (checked: boolean) => void; children: ReactNode }) {
  return (
    <Checkbox.Root checked={checked} onCheckedChange={(change: { checked: boolean | "indeterminate" }) => set(change.checked === true)}>
      <Checkbox.HiddenInput />
      <Checkbox.Control />
      <Checkbox.Label>{children}</Checkbox.Label>
    </Checkbox.Root>
  );
}

function Making({ made }: { made: DeploymentView }) {
  const polled = usePolled<OperationView>(made.operation === null ? undefined : `/operations/${made.operation}`, 1);
  const operation = polled.data;
  const to = `/deployments/${made.name}`;
  return (
    <VStack align="stretch" gap={4} maxW="40em">
      <Panel title={`Creating ${made.name}`} action={operation ? <OperationBadge state={operation.state} /> : undefined}>
        {operation ? <Steps operation={operation} /> : polled.error ? <Problem error={polled.error} retry={polled.refresh} /> : <Loading what="steps" />}
      </Panel>
      <Box aria-live="polite">
        {operation?.state === "succeeded" ? (
          <Alert.Root status="success">
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>{made.name} runs</Alert.Title>
              <Alert.Description>Connect an agent next: it runs the tasks at your site.</Alert.Description>
            </Alert.Content>
          </Alert.Root>
        ) : operation?.state === "failed" ? (
          <Alert.Root status="error">
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>The Deployment could not be made</Alert.Title>
              <Alert.Description>{operation.error} Its page lets you try again from the step that failed.</Alert.Description>
            </Alert.Content>
          </Alert.Root>
        ) : (
          <Text color="fg.muted">You may leave this page: the platform goes on.</Text>
        )}
      </Box>
      <HStack gap={3}>
        <Button asChild variant={operation?.state === "succeeded" ? "outline" : "solid"} colorPalette={operation?.state === "succeeded" ? "gray" : "brand"}>
          <RouterLink to={to}>Open {made.name}</RouterLink>
        </Button>
        {operation?.state === "succeeded" ? (
          <Button asChild colorPalette="brand">
            <RouterLink to={`${to}/remote-agents/register`}>Register an agent</RouterLink>
          </Button>
        ) : undefined}
      </HStack>
    </VStack>
  );
}
