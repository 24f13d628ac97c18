import { Box, Breadcrumb, Button, DataList, Flex, Heading, HStack, Link, SimpleGrid, Text } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";
import { Link as RouterLink, useNavigate, useParams } from "react-router-dom";

import { useHere } from "../data/context";
import { useSource } from "../data/source";
import type { Agent, Attempt, Environment, Page } from "../data/types";
import { usePolled } from "../data/usePolled";
import { bytes, count, duration, moment, spaced } from "../data/words";
import { DataTable, type Column } from "../parts/DataTable";
import { ReasonDialog, type Action } from "../parts/dialogs";
import { AttemptBadge, AttemptLink, beat, Clamped, Findings, ProcessBadge, SentinelFindings, SlotsBar, StateBadge, Tags, TaskStateBadge, When } from "../parts/marks";
import { Shown } from "../parts/states";
import { EventTable } from "./EventsPage";

/** One agent: how it is and why, what runs on it, what it did lately, and what can be asked of it. */
export function AgentPage() {
  const { agentId = "" } = useParams();
  const polled = usePolled<Agent>(`/agents/${encodeURIComponent(agentId)}`, 2);
  const [action, setAction] = useState<Action>();
  return (
    <Shown polled={polled} what="the agent">
      {(agent) => (
        <>
          <Top agent={agent} ask={setAction} done={polled.refresh} />
          <Findings agent={agent} />
          <SentinelFindings findings={agent.sentinel} />
          <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4}>
            <Part title="Details">
              <Facts agent={agent} />
            </Part>
            <Part title="Task environments">
              <Environments agent={agent} ask={setAction} done={polled.refresh} />
            </Part>
          </SimpleGrid>
          <Part title={`Running (${agent.running.length})`}>
            <Running agent={agent} ask={setAction} done={polled.refresh} />
          </Part>
          <Lately agent={agent} />
          <History agent={agent} />
          <ReasonDialog action={action} onClose={() => setAction(undefined)} />
        </>
      )}
    </Shown>
  );
}

type Asking = { agent: Agent; ask: (action: Action) => void; done: () => void };

export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Box as="section" mb={5}>
      <Heading as="h3" size="sm" mb={2}>
        {title}
      </Heading>
      {children}
    </Box>
  );
}

function Top({ agent, ask, done }: Asking) {
  const { home } = useSource();
  return (
    <Box mb={4}>
      <Breadcrumb.Root size="sm" mb={2}>
        <Breadcrumb.List>
          <Breadcrumb.Item>
            <Breadcrumb.Link asChild>
              <RouterLink to={home}>Agents</RouterLink>
            </Breadcrumb.Link>
          </Breadcrumb.Item>
          <Breadcrumb.Separator />
          <Breadcrumb.Item>
            <Breadcrumb.CurrentLink>{agent.name}</Breadcrumb.CurrentLink>
          </Breadcrumb.Item>
        </Breadcrumb.List>
      </Breadcrumb.Root>
      <Flex justify="space-between" align="flex-start" wrap="wrap" gap={3}>
        <Box>
          <HStack gap={3}>
            <Heading as="h2" size="lg">
              {agent.name}
            </Heading>
            <StateBadge state={agent.state} />
          </HStack>
          <Text color="fg.muted" fontSize="sm">
            {beat(agent)}
            {agent.pending_commands ? `; ${count(agent.pending_commands, "command")} pending` : ""}
          </Text>
          {agent.state_reason ? <Clamped text={agent.state_reason} of="reason of the state" fontSize="sm" /> : undefined}
        </Box>
        <Actions agent={agent} ask={ask} done={done} />
      </Flex>
    </Box>
  );
}

function Actions({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call, home } = useSource();
  const navigate = useNavigate();
  if (!may("deployment.agents.update")) {
    return undefined;
  }
  const send = (verb: string, said: string) => async (reason: string) => {
    await call(`/agents/${agent.id}/${verb}`, { method: "POST", body: { reason } });
    say(said);
    done();
  };
  const cordon: Action = {
    title: `Cordon ${agent.name}`,
    explained: "The agent gets no new work until you resume it, also after a restart. Running work continues.",
    submit: "Cordon",
    run: send("cordon", `${agent.name} is cordoned`),
  };
  const resume: Action = {
    title: `Resume ${agent.name}`,
    explained: "The agent gets new work again.",
    submit: "Resume",
    run: send("resume", `${agent.name} is resumed`),
  };
  const drain: Action = {
    title: `Drain ${agent.name}`,
    explained: "The agent takes no new work, finishes its running work, and exits. You cannot undo this. Start the agent again afterwards.",
    submit: "Drain",
    dangerous: true,
    run: send("drain", `${agent.name} is draining`),
  };
  const remove: Action = {
    title: `Remove ${agent.name}`,
    explained: "The plane forgets the agent and keeps its events. If the agent connects again, it is listed again.",
    submit: "Remove",
    dangerous: true,
    run: async (reason) => {
      await call(`/agents/${agent.id}`, { method: "DELETE", query: { reason } });
      say(`${agent.name} is removed`);
      void navigate(home);
    },
  };
  if (agent.state === "lost" || agent.state === "offline") {
    return <Ask action={remove} ask={ask} size="sm" />;
  }
  return (
    <HStack gap={2}>
      {agent.state === "cordoned" ? <Ask action={resume} ask={ask} size="sm" /> : undefined}
      {agent.state === "cordoned" || agent.state === "draining" ? undefined : <Ask action={cordon} ask={ask} size="sm" />}
      {agent.state === "draining" ? undefined : <Ask action={drain} ask={ask} size="sm" />}
    </HStack>
  );
}

function Ask({
  action,
  ask,
  label,
  size = "xs",
}: {
  action: Action;
  ask: (action: Action) => void;
  label?: string;
  size?: "xs" | "sm";
}) {
  return (
    <Button
      size={size}
      variant="outline"
      {...(action.dangerous ? { colorPalette: "red" } : {})}
      aria-label={action.title}
      onClick={() => ask(action)}
    >
      {label ?? action.submit}
    </Button>
  );
}

/** By which way the agent comes and since when, and what was refused last of what came the same way. */
function Way({ agent }: { agent: Agent }) {
  const { last_refused: refused } = agent;
  return (
    <Box>
      {agent.endpoint ? `Private endpoint ${agent.endpoint}, from ${agent.address}` : `Public, from ${agent.address || "unknown"}`}
      {agent.way_since ? (
        <>
          , since <When at={agent.way_since} />
        </>
      ) : undefined}
      {refused ? (
        <Text color="fg.muted" fontSize="xs">
          Last refused from there <When at={refused.last_at} />: {refused.message}
        </Text>
      ) : undefined}
    </Box>
  );
}

function Facts({ agent }: { agent: Agent }) {
  const { host } = agent;
  const machine = [host.platform, host.cpus ? count(host.cpus, "CPU") : "", host.memory_bytes ? bytes(host.memory_bytes) : ""];
  const facts: [string, ReactNode][] = [
    ["Host", [host.hostname, host.pid ? `process ${host.pid}` : ""].filter(Boolean).join(", ") || "unknown"],
    ["Machine", machine.filter(Boolean).join(", ") || "unknown"],
    ["Components", <Tags names={agent.components.map(spaced)} />],
    ["Version", `Tradewind ${agent.version || "unknown"}`],
    ["Site", agent.site],
    ["Data boundary", agent.policy],
    ["Trigger capacity", agent.components.includes("triggerer") ? String(agent.trigger_capacity) : "no triggerer"],
    ["Bundles", <Tags names={agent.bundles} />],
    ["Network", <Way agent={agent} />],
    ["Agent token", agent.token || "deleted"],
    ["Session opened", <span title={moment(agent.opened_at)}><When at={agent.opened_at} /></span>],
    ["Agent ID", agent.id],
  ];
  return (
    <DataList.Root orientation="horizontal" size="md" borderWidth={1} borderRadius="md" p={3} gap={2}>
      {facts.map(([name, value]) => (
        <DataList.Item key={name}>
          <DataList.ItemLabel minW="9em">{name}</DataList.ItemLabel>
          <DataList.ItemValue wordBreak="break-word">{value}</DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList.Root>
  );
}

function Environments({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call } = useSource();
  const gone = agent.ended_at !== null;
  const setSlots = (environment: Environment): Action => ({
    title: `Set slots of ${environment.name} on ${agent.name}`,
    explained:
      "The number of attempts that this environment runs at once, until the agent restarts. " +
      "If you set fewer slots than are in use, running work continues and new work waits.",
    submit: "Set slots",
    number: { label: "Slots", value: environment.slots, most: 10_000 },
    run: async (reason, slots) => {
      await call(`/agents/${agent.id}/slots`, {
        method: "POST",
        body: { environment: environment.name, slots, reason },
      });
      say(`Requested ${count(slots, "slot")} for ${environment.name}`);
      done();
    },
  });
  const columns: Column<Environment>[] = [
    {
      name: "Environment",
      cell: (each) => (
        <Box>
          <Text fontWeight="semibold">{each.name}</Text>
          <Text color="fg.muted" fontSize="xs">
            {[each.python && `Python ${each.python}`, each.airflow && `Airflow ${each.airflow}`].filter(Boolean).join(", ")}
          </Text>
          {each.problem ? (
            <Box color="fg.error">
              <Clamped text={each.problem} of={`problem of ${each.name}`} />
            </Box>
          ) : undefined}
        </Box>
      ),
    },
    { name: "Queues", cell: (each) => <Tags names={each.queues} /> },
    {
      name: "Slots",
      cell: (each) => (
        <HStack gap={2}>
          <SlotsBar used={each.used} total={each.slots} of={each.name} />
          {may("deployment.agents.update") && !gone ? <Ask action={setSlots(each)} ask={ask} label="Set" /> : undefined}
        </HStack>
      ),
    },
  ];
  return agent.environments.length === 0 ? (
    <Text color="fg.muted">This agent runs no tasks.</Text>
  ) : (
    <DataTable label="Task environments" columns={columns} rows={agent.environments} id={(each) => each.name} />
  );
}

function Running({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call } = useSource();
  const stop = (attempt: Attempt): Action => ({
    title: `Stop ${attempt.label || attempt.id}`,
    explained: "The plane asks the agent to stop this attempt. The attempt counts as failed, and Airflow's retries decide what happens next.",
    submit: "Stop",
    dangerous: true,
    run: async (reason) => {
      await call(`/attempts/${attempt.id}/stop`, { method: "POST", body: { reason } });
      say(`Asked ${agent.name} to stop the attempt`);
      done();
    },
  });
  const columns: Column<Attempt>[] = [
    { name: "Attempt", cell: (attempt) => <AttemptLink attempt={attempt} /> },
    { name: "State", cell: (attempt) => <AttemptBadge attempt={attempt} /> },
    { name: "Queue", cell: (attempt) => <Tags names={[attempt.queue]} /> },
    { name: "Queued for", hideBelow: "md", cell: (attempt) => duration(attempt.waited) },
    {
      name: "Running for",
      cell: (attempt) => (
        <Text whiteSpace="nowrap">
          {attempt.granted_at ? duration((Date.now() - Date.parse(attempt.granted_at)) / 1000) : "not started"}
        </Text>
      ),
    },
    {
      name: "Actions",
      quiet: true,
      cell: (attempt) =>
        may("deployment.agents.update") && attempt.state === "running" ? <Ask action={stop(attempt)} ask={ask} /> : undefined,
    },
  ];
  return agent.running.length === 0 ? (
    <Text color="fg.muted">No attempt is running.</Text>
  ) : (
    <DataTable label="Running attempts" columns={columns} rows={agent.running} id={(attempt) => attempt.id} />
  );
}

function Lately({ agent }: { agent: Agent }) {
  const polled = usePolled<Page<Attempt>>(`/attempts?agent_id=${agent.id}&state=finished&limit=10`, 5);
  const columns: Column<Attempt>[] = [
    { name: "Attempt", cell: (attempt) => <AttemptLink attempt={attempt} /> },
    { name: "Task state", cell: (attempt) => <TaskStateBadge attempt={attempt} /> },
    { name: "Process", cell: (attempt) => <ProcessBadge attempt={attempt} /> },
    { name: "Ended", cell: (attempt) => <When at={attempt.finished_at} /> },
    { name: "Reason", cell: (attempt) => <Clamped text={attempt.reason} of={`reason that ${attempt.label || attempt.id} ended`} /> },
  ];
  return (
    <Part title="Recent attempts">
      <Shown polled={polled} what="attempts">
        {(page) =>
          page.items.length === 0 ? (
            <Text color="fg.muted">No attempt has ended yet.</Text>
          ) : (
            <DataTable label="Recent attempts" columns={columns} rows={page.items} id={(each) => each.id} />
          )
        }
      </Shown>
    </Part>
  );
}

function History({ agent }: { agent: Agent }) {
  const { may } = useHere();
  const { home } = useSource();
  const subject = `agent:${agent.name}`;
  return may("audit") ? (
    <Part title="History">
      <EventTable query={`subject=${encodeURIComponent(subject)}&limit=20`} seconds={5} subjects={false} />
      <Link asChild color="fg.info" fontSize="sm" mt={2} display="inline-block">
        <RouterLink to={`${home}/events?subject=${encodeURIComponent(subject)}`}>View all events</RouterLink>
      </Link>
    </Part>
  ) : undefined;
}
