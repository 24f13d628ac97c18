// Small signs of the platform: health, what is being done, steps.
import { Badge, Box, HStack, Spinner, Text } from "@chakra-ui/react";

import { spaced } from "../../data/words";

const COLOURS: Record<string, string> = {
  healthy: "green.solid",
  degraded: "orange.solid",
  unhealthy: "red.solid",
  unknown: "gray.solid",
  asleep: "purple.solid",
  true: "green.solid",
  false: "red.solid",
};

/** A dot in the colour of the state, and the state's word: the colour alone says nothing to many people. */
export function StateDot({ state, word = state }: { state: string; word?: string }) {
  return (
    <HStack gap={2} display="inline-flex">
      <Box aria-hidden w={2.5} h={2.5} borderRadius="full" flexShrink={0} bg={COLOURS[state] ?? "gray.solid"} />
      <Text as="span" whiteSpace="nowrap">
        {word}
      </Text>
    </HStack>
  );
}

const FAILED = new Set(["failed", "purge_failed"]);
const SETTLED = new Set(["running", "asleep", "deleted", "purged", ...FAILED]);

/** What the platform is doing with a Deployment; nothing for one that just runs. */
export function PhaseBadge({ phase }: { phase: string }) {
  if (phase === "running") {
    return undefined;
  }
  return (
    <Badge colorPalette={FAILED.has(phase) ? "red" : SETTLED.has(phase) ? "gray" : "blue"} variant="surface">
      {SETTLED.has(phase) ? undefined : <Spinner size="xs" borderWidth="1px" />}
      {spaced(phase)}
    </Badge>
  );
}

const OPERATIONS: Record<string, string> = { pending: "gray", running: "blue", succeeded: "green", failed: "red", cancelled: "orange", skipped: "gray" };

export function OperationBadge({ state }: { state: string }) {
  return (
    <Badge colorPalette={OPERATIONS[state] ?? "gray"} variant="surface">
      {state}
    </Badge>
  );
}
