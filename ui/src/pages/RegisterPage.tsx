import { Alert, Box, Button, Checkbox, CheckboxGroup, Field, Fieldset, HStack, Heading, Input, NativeSelect, SimpleGrid, Spinner, Tabs, Text, VStack } from "@chakra-ui/react";
import { useEffect, useMemo, useState, type FormEvent, type ReactNode } from "react";

import { asRefused, type Refused } from "../data/api";
import { useHere } from "../data/context";
import { useSource } from "../data/source";
import type { Agent, AskRecipes, Page, Recipe, Recipes, TokenCreated } from "../data/types";
import { usePolled } from "../data/usePolled";
import { spaced } from "../data/words";
import { Copyable } from "../parts/Copyable";
import { AgentLink, Findings, StateBadge } from "../parts/marks";
import { Problem } from "../parts/states";
import { Expires, Value } from "./TokensPage";

const COMPONENTS = ["worker", "dag_processor", "triggerer"];
const PAUSE = 250; // milliseconds without a key pressed, after which the plane is asked

/** Kinds of secrets backends, and what each asks for. */
const SECRETS: Record<string, { title: string; place: string; example: string; role?: string }> = {
  "aws-secrets-manager": { title: "AWS Secrets Manager", place: "Region", example: "eu-west-1" },
  "aws-parameter-store": { title: "AWS Systems Manager Parameter Store", place: "Region", example: "eu-west-1" },
  "azure-key-vault": { title: "Azure Key Vault", place: "Vault URL", example: "https://my-vault.vault.azure.net/" },
  "google-secret-manager": { title: "Google Secret Manager", place: "Project", example: "my-project" },
  "vault-kubernetes": {
    title: "HashiCorp Vault or OpenBao, Kubernetes auth",
    place: "Vault URL",
    example: "https://vault.example.com",
    role: "Kubernetes role",
  },
  "vault-approle": {
    title: "HashiCorp Vault or OpenBao, AppRole auth",
    place: "Vault URL",
    example: "https://vault.example.com",
    role: "Role ID",
  },
};

type Answered = {
  recipes: Recipe[];
  problems: string[];
  problem: (field: string) => string;
  waiting: boolean;
  error: Refused | undefined;
};

/** From nothing to an agent that is connected: a token, the commands, and the moment it arrives. */
export function RegisterPage() {
  const [planeUrl, setPlaneUrl] = useState(""); // asked for if the plane has no agent_url; never the browser's address
  const [name, setName] = useState("my-site");
  const [site, setSite] = useState("default");
  const [components, setComponents] = useState(COMPONENTS);
  const [queues, setQueues] = useState("default");
  const [slots, setSlots] = useState("20");
  const [storage, setStorage] = useState("");
  const [secrets, setSecrets] = useState({ kind: "", place: "", role: "" });
  const [logs, setLogs] = useState({ url: "", connection: "", container: "" });
  const [image, setImage] = useState("registry.example.com/airflow-agent:latest");
  const [packages, setPackages] = useState("/srv/tradewind/dist");
  const [bundle, setBundle] = useState({
    kind: "git",
    name: "dags",
    repository: "",
    reference: "main",
    folder: "",
    connection: "",
  });
  const wanted = useMemo<AskRecipes>(
    () => ({
      plane_url: planeUrl.trim(),
      name: name.trim(),
      components,
      queues: queues.split(/[\s,]+/u).filter(Boolean),
      slots: Math.trunc(Number(slots)) || 0,
      bundle: Object.fromEntries(Object.entries(bundle).map(([key, text]) => [key, text.trim()])) as typeof bundle,
      site: site.trim(),
      storage: storage.trim(),
      secrets: { kind: secrets.kind, place: secrets.place.trim(), role: secrets.role.trim() },
      logs: { url: logs.url.trim(), connection: logs.connection.trim(), container: logs.container.trim() },
      image: image.trim(),
      packages: packages.trim(),
    }),
    [planeUrl, name, components, queues, slots, bundle, site, storage, secrets, logs, image, packages],
  );
  const answered = useRecipes(wanted);
  const { problem } = answered;
  const backend = SECRETS[secrets.kind];
  const part = (field: keyof typeof bundle) => ({
    value: bundle[field],
    set: (text: string) => setBundle((before) => ({ ...before, [field]: text })),
    problem: problem(`bundle.${field}`),
  });
  return (
    <SimpleGrid columns={{ base: 1, xl: 2 }} gap={8} maxW="100em">
      <VStack align="stretch" gap={6}>
        <Step number={1} title="Agent">
          <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
            <Typed label="Agent name" value={name} set={setName} problem={problem("name")} />
            <Typed label="Slots" type="number" value={slots} set={setSlots} problem={problem("slots")} />
            {planeUrl || problem("plane_url") ? (
              <Typed
                label="Address for agents"
                placeholder="https://k3.external.example.com/d4f2"
                value={planeUrl}
                set={setPlaneUrl}
                problem={problem("plane_url")}
              />
            ) : undefined}
            <Typed
              label="Queues"
              value={queues}
              set={setQueues}
              problem={problem("queues")}
              help="Separated by commas"
            />
            <Typed
              label="Folder with Tradewind's packages"
              help="On the agent's machine, as `make dist` builds it. Leave empty to use the package index"
              value={packages}
              set={setPackages}
              problem={problem("packages")}
            />
            <Box>
              <Fieldset.Root>
                <CheckboxGroup value={components} onValueChange={setComponents}>
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
          </SimpleGrid>
        </Step>
        <Step number={2} title="Dags">
          <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
            <Field.Root invalid={problem("bundle.kind") !== ""}>
              <Field.Label>Dag source</Field.Label>
              <NativeSelect.Root>
                <NativeSelect.Field
                  value={bundle.kind}
                  onChange={(event: { target: { value: string } }) => {
                    setBundle((before) => ({ ...before, kind: event.target.value, folder: "" }));
                  }}
                >
                  <option value="git">Git repository</option>
                  <option value="folder">Folder on the agent's machine</option>
                  <option value="none">No Dags (triggers only)</option>
                </NativeSelect.Field>
                <NativeSelect.Indicator />
              </NativeSelect.Root>
              <Field.ErrorText>{problem("bundle.kind")}</Field.ErrorText>
            </Field.Root>
            {bundle.kind === "none" ? undefined : (
              <Typed label="Bundle name" help="Use the same name on every agent of the site" {...part("name")} />
            )}
            {bundle.kind === "git" ? (
              <>
                <Typed
                  label="Repository"
                  placeholder="https://git.example.com/team/dags.git"
                  {...part("repository")}
                  problem={bundle.repository ? problem("bundle.repository") : ""}
                />
                <Typed label="Branch or tag" {...part("reference")} />
                <Typed label="Subfolder" help="Leave empty for the whole repository" {...part("folder")} />
                <Typed
                  label="Connection of a private repository"
                  help="Connection ID in the site's secrets backend. Leave empty for a public repository"
                  {...part("connection")}
                />
              </>
            ) : bundle.kind === "folder" ? (
              <Typed
                label="Folder"
                placeholder="/srv/dags"
                {...part("folder")}
                problem={bundle.folder ? problem("bundle.folder") : ""}
              />
            ) : undefined}
          </SimpleGrid>
        </Step>
        <Step number={3} title="Site and token">
          <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
            <Typed
              label="Site"
              help="The token belongs to the site. Agents of a site share its Dags and its work"
              value={site}
              set={setSite}
              problem={problem("site")}
            />
            <Typed
              label="Shared storage"
              placeholder="/mnt/shared/tradewind or s3://connection@bucket/prefix"
              help="For XCom values and task state. Leave empty if this is the site's only agent"
              value={storage}
              set={setStorage}
              problem={problem("storage")}
            />
            <Field.Root>
              <Field.Label>Secrets backend</Field.Label>
              <NativeSelect.Root>
                <NativeSelect.Field
                  value={secrets.kind}
                  onChange={(event: { target: { value: string } }) => {
                    setSecrets((before) => ({ ...before, kind: event.target.value, place: "" }));
                  }}
                >
                  <option value="">None (environment variables)</option>
                  {Object.entries(SECRETS).map(([kind, { title }]) => (
                    <option key={kind} value={kind}>
                      {title}
                    </option>
                  ))}
                </NativeSelect.Field>
                <NativeSelect.Indicator />
              </NativeSelect.Root>
              <Field.HelperText>Where tasks read connections and variables. The plane has no access to it</Field.HelperText>
            </Field.Root>
            {backend ? (
              <Typed
                label={backend.place}
                placeholder={backend.example}
                value={secrets.place}
                set={(place) => setSecrets((before) => ({ ...before, place }))}
                problem={secrets.place ? problem("secrets.place") : ""}
              />
            ) : undefined}
            {backend?.role ? (
              <Typed
                label={backend.role}
                placeholder="airflow-site"
                value={secrets.role}
                set={(role) => setSecrets((before) => ({ ...before, role }))}
                problem={secrets.role ? problem("secrets.role") : ""}
              />
            ) : undefined}
            <Typed
              label="Task logs"
              placeholder="s3://bucket/logs, gs://bucket/logs or wasb://logs"
              help="Where agents upload task logs. Leave empty to keep them on the agent's disk"
              value={logs.url}
              set={(url) => setLogs((before) => ({ ...before, url }))}
              problem={problem("logs.url")}
            />
            {logs.url ? (
              <Typed
                label="Connection for task logs"
                help="Connection ID in the site's secrets backend. S3 and Azure need one"
                value={logs.connection}
                set={(connection) => setLogs((before) => ({ ...before, connection }))}
                problem={problem("logs.connection")}
              />
            ) : undefined}
            {logs.url.startsWith("wasb://") ? (
              <Typed
                label="Container for task logs"
                value={logs.container}
                set={(container) => setLogs((before) => ({ ...before, container }))}
                problem={logs.container ? problem("logs.container") : ""}
              />
            ) : undefined}
          </SimpleGrid>
          <Box mt={4}>
            <TokenStep name={wanted.name} site={wanted.site} problem={problem("name") || problem("site")} />
          </Box>
        </Step>
      </VStack>
      <VStack align="stretch" gap={6}>
        <Step number={4} title="Start the agent">
          <Shells answered={answered} image={image} setImage={setImage} />
        </Step>
        <Step number={5} title="Check the connection">
          {problem("name") ? <Text color="fg.muted">Enter an agent name first.</Text> : <Arrival name={wanted.name} />}
        </Step>
      </VStack>
    </SimpleGrid>
  );
}

/** What the plane makes of it, asked a moment after the last key. The recipes before stay until there are others. */
function useRecipes(wanted: AskRecipes): Answered {
  const { call } = useSource();
  const [state, setState] = useState<{ of?: AskRecipes; answer?: Recipes; kept: Recipe[]; error?: Refused }>({ kept: [] });
  useEffect(() => {
    const asking = new AbortController();
    const timer = setTimeout(() => {
      call<Recipes>("/recipes", { method: "POST", body: wanted, signal: asking.signal }).then(
        (answer) =>
          setState((before) => ({
            of: wanted,
            answer,
            kept: answer.recipes.length ? answer.recipes : before.kept,
          })),
        (problem: unknown) => {
          if (!asking.signal.aborted) {
            setState((before) => ({ of: wanted, kept: before.kept, error: asRefused(problem) }));
          }
        },
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [call, wanted]);
  return {
    recipes: state.answer?.problems.length ? [] : state.kept,
    problems: state.answer?.problems.map((each) => each.message) ?? [],
    problem: (field) => state.answer?.problems.find((each) => each.field === field)?.message ?? "",
    waiting: state.of !== wanted,
    error: state.error,
  };
}

function Typed({
  label,
  value,
  set,
  problem,
  help,
  ...more
}: {
  label: string;
  value: string;
  set: (text: string) => void;
  problem: string;
  help?: string;
  type?: string;
  placeholder?: string;
}) {
  return (
    <Field.Root invalid={problem !== ""}>
      <Field.Label>{label}</Field.Label>
      <Input value={value} onChange={(event) => set(event.target.value)} {...more} />
      {problem ? (
        <Field.ErrorText>{problem}</Field.ErrorText>
      ) : help ? (
        <Field.HelperText>{help}</Field.HelperText>
      ) : undefined}
    </Field.Root>
  );
}

function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <Box as="section" aria-label={title}>
      <Heading as="h2" size="md" mb={3}>
        {number}. {title}
      </Heading>
      {children}
    </Box>
  );
}

function TokenStep({ name, site, problem }: { name: string; site: string; problem: string }) {
  const { may, say } = useHere();
  const { call } = useSource();
  const [days, setDays] = useState("365");
  const [made, setMade] = useState<TokenCreated>();
  const [error, setError] = useState<Refused>();
  if (!may("deployment.agentTokens.create")) {
    return (
      <Text>
        Your role cannot create agent tokens. Ask an administrator of this Airflow for one, or use an existing token of
        the site.
      </Text>
    );
  }
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const body = { name, site, description: `for agent ${name}`, expires_in_days: days ? Number(days) : null };
      setMade(await call<TokenCreated>("/tokens", { method: "POST", body }));
      say(`Token ${name} was created`);
    } catch (refused) {
      setError(asRefused(refused));
    }
  };
  return (
    <>
      {made ? (
        <Value made={made} />
      ) : (
        <form onSubmit={(event) => void make(event)}>
          <HStack align="flex-end" gap={3} mb={2}>
            <Box w="12em">
              <Expires days={days} setDays={setDays} />
            </Box>
            <Button type="submit" colorPalette="brand" disabled={problem !== ""}>
              Create token {name}
            </Button>
          </HStack>
        </form>
      )}
      {error ? <Problem error={error} /> : undefined}
      {made ? undefined : (
        <Text color="fg.muted" fontSize="sm">
          Or use an existing token of the site. Several agents may share one.
        </Text>
      )}
    </>
  );
}

function Shells({
  answered,
  image,
  setImage,
}: {
  answered: Answered;
  image: string;
  setImage: (image: string) => void;
}) {
  const { recipes, problem, error, waiting } = answered;
  const [tab, setTab] = useState("host");
  if (error) {
    return <Problem error={error} />;
  }
  if (recipes.length === 0) {
    return (
      <>
        {problem("image") ? <Typed label="Image" value={image} set={setImage} problem={problem("image")} /> : undefined}
        <Text color="fg.muted">The commands appear when the form is complete.</Text>
        <Box as="ul" color="fg.muted" fontSize="sm" pl={5} mt={2} listStyleType="disc">
          {answered.problems.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </Box>
      </>
    );
  }
  return (
    <Tabs.Root
      value={tab}
      onValueChange={(change: { value: string }) => setTab(change.value)}
      size="sm"
      lazyMount
      unmountOnExit
      aria-busy={waiting}
    >
      <Tabs.List aria-label="Where the agent runs">
        {recipes.map((recipe) => (
          <Tabs.Trigger key={recipe.key} value={recipe.key}>
            {recipe.title}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {recipes.map((recipe) => (
        <Tabs.Content key={recipe.key} value={recipe.key}>
          <VStack align="stretch" gap={3}>
            {["container", "helm", "kubernetes"].includes(recipe.key) ? (
              <Typed label="Image" value={image} set={setImage} problem={problem("image")} />
            ) : undefined}
            {recipe.steps.map((step) => (
              <Box key={step.what}>
                <Text fontSize="sm" mb={1}>
                  {step.explained}
                </Text>
                <Copyable text={step.text} what={step.what} />
              </Box>
            ))}
          </VStack>
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}

/** Connected is not yet well: green is said of an agent that is healthy. */
function Arrival({ name }: { name: string }) {
  const polled = usePolled<Page<Agent>>(`/agents?name=${encodeURIComponent(name)}`, 2);
  const agent = polled.data?.items.find((each) => each.ended_at === null);
  return (
    <Box aria-live="polite">
      {agent ? (
        <>
          <Alert.Root
            status={agent.state === "healthy" ? "success" : agent.state === "starting" ? "info" : "warning"}
            mb={3}
          >
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>
                <HStack gap={2} wrap="wrap">
                  <AgentLink id={agent.id} name={agent.name} />
                  is connected <StateBadge state={agent.state} />
                </HStack>
              </Alert.Title>
              {agent.state === "healthy" ? undefined : (
                <Alert.Description>
                  {agent.state === "starting"
                    ? "Its processes are starting. It takes work when they are ready."
                    : `The agent is not ready for work. Its state is ${agent.state}.`}
                </Alert.Description>
              )}
            </Alert.Content>
          </Alert.Root>
          <Findings agent={agent} />
        </>
      ) : (
        <HStack gap={3}>
          <Spinner size="sm" />
          <Text color="fg.muted">Waiting for {name} to connect. This page updates by itself.</Text>
        </HStack>
      )}
      {polled.error ? <Problem error={polled.error} /> : undefined}
    </Box>
  );
}
