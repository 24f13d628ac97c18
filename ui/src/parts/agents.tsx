// Signs of an agent: its state, its last beat, what is wrong with it.
import { Alert, Badge, Link, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../data/source";
import type { Agent, AgentState } from "../data/types/agents";
import type { SentinelFinding } from "../data/types/sentinels";
import { ago, duration } from "../data/words";
import { Clamped, When } from "./marks";

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

/** The age of the last beat. */
export function beat(agent: Agent): string {
  if (agent.ended_at !== null) {
    return `session ended ${ago(agent.ended_at)}`;
  }
  return agent.beat_age === null ? "not seen yet" : `last seen ${duration(agent.beat_age)} ago`;
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
