import { Alert, Box, Button, Checkbox, CheckboxGroup, Field, Fieldset, HStack, Heading, Input, Link, SimpleGrid, Spinner, Tabs, Text, VStack } from "@chakra-ui/react";
import { useMemo, useState, type FormEvent } from "react";
import { Link as RouterLink } from "react-router-dom";

import { airflowUrl, asRefused, call, type Refused } from "../data/api";
import { agentPath, useHere } from "../data/context";
import type { Agent, Page, TokenCreated } from "../data/types";
import { usePolled } from "../data/usePolled";
import { spaced } from "../data/words";
import { Copyable } from "../parts/Copyable";
import { StateBadge } from "../parts/marks";
import { Problem } from "../parts/states";
import { recipes, type Wanted } from "./recipes";
import { Expires, Value } from "./TokensPage";

const COMPONENTS = ["worker", "dag_processor", "triggerer"];
const NAME = "[A-Za-z0-9][A-Za-z0-9._@:/-]*";

/** From nothing to an agent that is connected: a token, the commands, and the moment it arrives. */
export function RegisterPage() {
  const [name, setName] = useState("my-site");
  const [components, setComponents] = useState(COMPONENTS);
  const [queues, setQueues] = useState("default");
  const [slots, setSlots] = useState("20");
  const [image, setImage] = useState("registry.example.com/airflow-agent:latest");
  const wanted = useMemo<Wanted>(
    () => ({
      planeUrl: airflowUrl().replace(/\/$/u, ""),
      name: name.trim() || "my-site",
      components: components.length === COMPONENTS.length ? [] : components,
      queues: queues.split(/[\s,]+/u).filter(Boolean),
      slots: Number(slots) || 0,
      image: image.trim(),
    }),
    [name, components, queues, slots, image],
  );
  return (
    <SimpleGrid columns={{ base: 1, xl: 2 }} gap={8} maxW="100em">
      <VStack align="stretch" gap={6}>
        <Step number={1} title="What it is">
          <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
            <Field.Root required>
              <Field.Label>Name of the agent</Field.Label>
              <Input required pattern={NAME} value={name} onChange={(event) => setName(event.target.value)} />
            </Field.Root>
            <Field.Root>
              <Field.Label>Slots</Field.Label>
              <Input type="number" min={0} max={10000} value={slots} onChange={(event) => setSlots(event.target.value)} />
            </Field.Root>
            <Field.Root>
              <Field.Label>Queues</Field.Label>
              <Input value={queues} onChange={(event) => setQueues(event.target.value)} />
              <Field.HelperText>With commas between them</Field.HelperText>
            </Field.Root>
            <Fieldset.Root>
              <CheckboxGroup value={components} onValueChange={setComponents}>
                <Fieldset.Legend fontSize="sm" fontWeight="medium" mb={2}>
                  Runs
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
          </SimpleGrid>
        </Step>
        <Step number={2} title="Its token">
          <TokenStep name={wanted.name} />
        </Step>
      </VStack>
      <VStack align="stretch" gap={6}>
        <Step number={3} title="Start it">
          <Recipes wanted={wanted} image={image} setImage={setImage} />
        </Step>
        <Step number={4} title="See it arrive">
          <Arrival name={wanted.name} />
        </Step>
      </VStack>
    </SimpleGrid>
  );
}

function Step({ number, title, children }: { number: number; title: string; children: React.ReactNode }) {
  return (
    <Box as="section" aria-label={title}>
      <Heading as="h2" size="md" mb={3}>
        {number}. {title}
      </Heading>
      {children}
    </Box>
  );
}

function TokenStep({ name }: { name: string }) {
  const { may, say } = useHere();
  const [days, setDays] = useState("365");
  const [made, setMade] = useState<TokenCreated>();
  const [error, setError] = useState<Refused>();
  if (!may("administer")) {
    return (
      <Text>
        Your role makes no agent tokens. Ask an administrator of this Airflow for one, or use one you have: a token may
        serve several agents of a site.
      </Text>
    );
  }
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const body = { name, description: `for agent ${name}`, expires_in_days: days ? Number(days) : null };
      setMade(await call<TokenCreated>("/tokens", { method: "POST", body }));
      say(`Token ${name} is made`);
    } catch (problem) {
      setError(asRefused(problem));
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
            <Button type="submit" colorPalette="brand">
              Make token {name}
            </Button>
          </HStack>
        </form>
      )}
      {error ? <Problem error={error} /> : undefined}
      {made ? undefined : (
        <Text color="fg.muted" fontSize="sm">
          Or use one you have: a token may serve several agents of a site.
        </Text>
      )}
    </>
  );
}

function Recipes({ wanted, image, setImage }: { wanted: Wanted; image: string; setImage: (image: string) => void }) {
  return (
    <Tabs.Root defaultValue="host" size="sm" lazyMount>
      <Tabs.List aria-label="Where it runs">
        {recipes(wanted).map((recipe) => (
          <Tabs.Trigger key={recipe.key} value={recipe.key}>
            {recipe.title}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {recipes(wanted).map((recipe) => (
        <Tabs.Content key={recipe.key} value={recipe.key}>
          <VStack align="stretch" gap={3}>
            {["container", "helm", "kubernetes"].includes(recipe.key) ? (
              <Field.Root>
                <Field.Label>Image</Field.Label>
                <Input size="sm" value={image} onChange={(event) => setImage(event.target.value)} />
              </Field.Root>
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

function Arrival({ name }: { name: string }) {
  const polled = usePolled<Page<Agent>>(`/agents?name=${encodeURIComponent(name)}`, 2);
  const agent = polled.data?.items.find((each) => each.ended_at === null);
  return (
    <Box aria-live="polite">
      {agent ? (
        <Alert.Root status="success">
          <Alert.Indicator />
          <Alert.Title>
            <HStack gap={2}>
              <Link asChild color="fg.info">
                <RouterLink to={agentPath(agent.id)}>{agent.name}</RouterLink>
              </Link>
              is connected <StateBadge state={agent.state} />
            </HStack>
          </Alert.Title>
        </Alert.Root>
      ) : (
        <HStack gap={3}>
          <Spinner size="sm" />
          <Text color="fg.muted">Waiting for {name} to connect. This page notices by itself.</Text>
        </HStack>
      )}
      {polled.error ? <Problem error={polled.error} /> : undefined}
    </Box>
  );
}
