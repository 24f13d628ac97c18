// Small signs: how an agent is, how full it is, how fast a queue is, when something was.
import { Alert, Badge, Box, Button, Flex, HStack, Link, Text, Wrap } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../data/source";
import type { Agent, AgentState, Attempt, SentinelFinding } from "../data/types";
import { ago, count, duration, moment, spaced } from "../data/words";

const PALETTES: Record<AgentState, string> = {
  starting: "blue",
  healthy: "green",
  degraded: "orange",
  draining: "purple",
  cordoned: "yellow",
  unreachable: "orange",
  lost: "red",
  offline: "gray",
};

export function StateBadge({ state }: { state: AgentState }) {
  return (
    <Badge colorPalette={PALETTES[state]} variant="surface">
      {state}
    </Badge>
  );
}

export function AttemptBadge({ attempt }: { attempt: Attempt }) {
  return (
    <Badge colorPalette={attempt.state === "running" ? "blue" : "gray"} variant="surface">
      {attempt.state}
    </Badge>
  );
}

const PROCESSES: Record<string, string> = { exited: "gray", killed: "red", stopped: "orange", broken: "red", lost: "red" };

/** How the attempt's process ended; its exit code only when that is not 0. */
export function ProcessBadge({ attempt }: { attempt: Attempt }) {
  if (attempt.process === null) return <Text color="fg.muted">–</Text>;
  const detail = attempt.signal ?? (attempt.exit_code ? String(attempt.exit_code) : "");
  return (
    <Badge colorPalette={PROCESSES[attempt.process] ?? "gray"} variant="surface" textTransform="none">
      {`${attempt.process} ${detail}`.trim()}
    </Badge>
  );
}

const TASK_STATES: Record<string, string> = { success: "green", failed: "red", up_for_retry: "orange", skipped: "pink" };

/** The state in which the process left its task. */
export function TaskStateBadge({ attempt }: { attempt: Attempt }) {
  if (attempt.task_state === null) return <Text color="fg.muted">–</Text>;
  return (
    <Badge colorPalette={TASK_STATES[attempt.task_state] ?? "gray"} variant="surface" textTransform="none">
      {attempt.task_state.replaceAll("_", " ")}
    </Badge>
  );
}

export function Tags({ names, empty = "none" }: { names: string[]; empty?: string }) {
  return names.length === 0 ? (
    <Text color="fg.muted">{empty}</Text>
  ) : (
    <Wrap gap={1}>
      {names.map((name) => (
        <Badge key={name} variant="outline" textTransform="none">
          {name}
        </Badge>
      ))}
    </Wrap>
  );
}

/** Used of total slots, as a bar and as numbers. */
export function SlotsBar({ used, total, of }: { used: number; total: number; of: string }) {
  const part = total > 0 ? Math.min(used / total, 1) : 0;
  return (
    <HStack gap={2} minW="9em">
      <Box
        role="meter"
        aria-label={`Slots of ${of} in use`}
        aria-valuemin={0}
        aria-valuemax={Math.max(total, 1)}
        aria-valuenow={Math.min(used, Math.max(total, 1))}
        aria-valuetext={`${used} of ${total}`}
        flex="1"
        minW={12}
        h={2}
        borderRadius="full"
        bg="bg.emphasized"
        overflow="hidden"
      >
        <Box h="100%" w={`${part * 100}%`} bg={part >= 1 ? "orange.solid" : "green.solid"} />
      </Box>
      <Text fontSize="sm" whiteSpace="nowrap">
        {used} / {total}
      </Text>
    </HStack>
  );
}

/** What ended, minute by minute; what did not succeed stands at the foot of each bar. */
export function Sparkline({ finished, failed, of }: { finished: number[]; failed: number[]; of: string }) {
  const most = Math.max(...finished, 1);
  const all = finished.reduce((sum, each) => sum + each, 0);
  const bad = failed.reduce((sum, each) => sum + each, 0);
  const said = `${of}: ${all} finished in the last ${count(finished.length, "minute")}${bad ? `, ${bad} without success` : ""}`;
  const [wide, high] = [2, 24];
  return (
    <Flex align="center" gap={2}>
      <Box asChild color="fg.success" flexShrink={0}>
        <svg role="img" aria-label={said} width={finished.length * wide} height={high}>
          <title>{said}</title>
          <line x1={0} x2={finished.length * wide} y1={high - 0.5} y2={high - 0.5} stroke="currentColor" opacity={0.35} />
          {finished.map((number, at) => {
            const tall = (number / most) * (high - 1);
            const red = ((failed[at] ?? 0) / most) * (high - 1);
            return number === 0 ? undefined : (
              <g key={at}>
                <rect x={at * wide} y={high - tall} width={wide - 0.4} height={tall - red} fill="currentColor" />
                <rect x={at * wide} y={high - red} width={wide - 0.4} height={red} fill="var(--chakra-colors-red-solid)" />
              </g>
            );
          })}
        </svg>
      </Box>
      <Text fontSize="sm" color="fg.muted" whiteSpace="nowrap" aria-hidden>
        {all} / h
      </Text>
    </Flex>
  );
}

export function When({ at, never = "never" }: { at: string | null; never?: string }) {
  return at === null ? (
    <Text as="span" color="fg.muted">
      {never}
    </Text>
  ) : (
    <Text as="span" title={moment(at)} whiteSpace="nowrap">
      <time dateTime={at}>{ago(at)}</time>
    </Text>
  );
}

const SHORT = 140; // characters that fit into two lines of a table's cell

/** Two lines of a text that may have twenty, and a way to the rest. */
export function Clamped({ text, of, fontSize = "xs" }: { text: string; of: string; fontSize?: string }) {
  const [whole, setWhole] = useState(false);
  const long = text.length > SHORT || text.trim().split("\n").length > 2;
  return (
    <Box fontSize={fontSize} overflowWrap="anywhere">
      <Text fontSize="inherit" whiteSpace={whole ? "pre-wrap" : undefined} {...(whole ? {} : { lineClamp: 2 })}>
        {text}
      </Text>
      {long ? (
        <Button
          variant="plain"
          size="2xs"
          h="auto"
          px={0}
          color="fg.info"
          aria-expanded={whole}
          aria-label={whole ? `Show less: ${of}` : `Show more: ${of}`}
          onClick={() => setWhole(!whole)}
        >
          {whole ? "Show less" : "Show more"}
        </Button>
      ) : undefined}
    </Box>
  );
}

/** What an agent's own checks found, and what to do about it. */
export function Findings({ agent }: { agent: Agent }) {
  return agent.findings.map((finding) => (
    <Alert.Root key={`${finding.check} ${finding.message}`} status="warning" mb={3}>
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{finding.check}</Alert.Title>
        <Alert.Description>
          <Clamped text={finding.message} of={`finding ${finding.check}`} fontSize="sm" />
          {finding.remedy ? <Text whiteSpace="pre-wrap">{finding.remedy}</Text> : undefined}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  ));
}

/** What sentinels found from outside: cause, evidence, remedy, and since when. */
export function SentinelFindings({ findings }: { findings: SentinelFinding[] }) {
  return findings.map((finding) => (
    <Alert.Root key={`${finding.sentinel} ${finding.check} ${finding.subject}`} status="warning" mb={3} alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title overflowWrap="anywhere">
          {finding.subject}: {finding.cause}
        </Alert.Title>
        <Alert.Description>
          {finding.evidence ? <Clamped text={finding.evidence} of={`evidence of ${finding.check}`} fontSize="sm" /> : undefined}
          {finding.remedy ? <Text>{finding.remedy}</Text> : undefined}
          <Text color="fg.muted" fontSize="xs">
            {finding.check}, since <When at={finding.since} />
            {finding.count > 1 ? `, seen ${finding.count} times` : ""}, by sentinel {finding.sentinel}
          </Text>
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  ));
}

/** An agent's name, as the way to its page. */
export function AgentLink({ id, name, fontWeight }: { id: string; name: string; fontWeight?: string }) {
  const { home } = useSource();
  return (
    <Link asChild color="fg.info" fontWeight={fontWeight}>
      <RouterLink to={`${home}/agents/${id}`}>{name}</RouterLink>
    </Link>
  );
}

/** The age of the last beat. */
export function beat(agent: Agent): string {
  if (agent.ended_at !== null) {
    return `session ended ${ago(agent.ended_at)}`;
  }
  return agent.beat_age === null ? "not seen yet" : `last seen ${duration(agent.beat_age)} ago`;
}

/** The attempt's task instance in Airflow's own pages. */
export function AttemptLink({ attempt }: { attempt: Attempt }) {
  const { airflow } = useSource();
  const words = attempt.label || `${spaced(attempt.kind)} ${attempt.id}`;
  if (attempt.dag_id === null || attempt.run_id === null || attempt.task_id === null) {
    return <Text>{words}</Text>;
  }
  const [dag, run, task] = [attempt.dag_id, attempt.run_id, attempt.task_id].map(encodeURIComponent);
  const mapped = attempt.map_index >= 0 ? `/mapped/${attempt.map_index}` : "";
  const tried = attempt.try_number ? `?try_number=${attempt.try_number}` : "";
  const path = `dags/${dag}/runs/${run}/tasks/${task}${mapped}${tried}`;
  return airflow === undefined ? (
    <Link asChild color="fg.info">
      <RouterLink to={`/${path}`}>{words}</RouterLink>
    </Link>
  ) : (
    <Link color="fg.info" href={new URL(path, airflow).href}>
      {words}
    </Link>
  );
}
