// How the canaries of queues went: tiny pieces of work of the plane's own, which go the way of all work.
import { Alert, Badge, Box, Text } from "@chakra-ui/react";

import type { Canary, CanaryHop, Queue } from "../data/types/queues";
import { count } from "../data/words";
import { When } from "./marks";

const HOPS: CanaryHop[] = ["claim", "start", "log", "finish"];
const PALETTES: Record<Canary["result"], string> = { ok: "green", failed: "red", busy: "gray", asleep: "gray", unknown: "gray" };

/** The last canary of a queue: how it went, when, and how long each part of the way took. */
export function CanaryMark({ canary }: { canary: Canary | null }) {
  if (canary === null) return <Text color="fg.muted">none yet</Text>;
  const failed = canary.result === "failed" && canary.hop !== null;
  const parts = HOPS.filter((hop) => canary.seconds[hop] !== undefined);
  return (
    <Box>
      <Badge colorPalette={PALETTES[canary.result]} variant="surface" textTransform="none">
        {failed ? `${canary.hop} failed` : canary.result}
      </Badge>{" "}
      <Text as="span" color="fg.muted" fontSize="xs">
        <When at={canary.at} />
      </Text>
      {canary.result === "ok" ? (
        <Text color="fg.muted" fontSize="xs">
          {parts.map((hop) => `${hop} ${(canary.seconds[hop] ?? 0).toFixed(2)} s`).join(", ")}
        </Text>
      ) : canary.reason && !failed ? (
        <Text color="fg.muted" fontSize="xs">
          {canary.reason}
        </Text>
      ) : undefined}
    </Box>
  );
}

/** Which canaries fail: the part of the way, the reason and the remedy of each. */
export function FailedCanaries({ queues }: { queues: Queue[] }) {
  const failed = queues.filter((queue) => queue.canary?.result === "failed");
  if (failed.length === 0) return undefined;
  return (
    <Alert.Root status="error" mb={4} alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>
          {failed.length === 1 ? "The canary of 1 queue fails" : `The canaries of ${failed.length} queues fail`}
        </Alert.Title>
        <Alert.Description>
          {failed.map(({ site, queue, canary }) =>
            canary ? (
              <Box key={`${site ?? ""}\n${queue}`} overflowWrap="anywhere">
                <b>{[site, queue].filter(Boolean).join(" / ")}</b>, {canary.hop}: {canary.reason}
                {canary.rule ? ` (rule ${canary.rule})` : ""}. {canary.remedy}{" "}
                <Text as="span" fontSize="xs">
                  ({count(canary.failures, "failure")}, went well{" "}
                  {canary.ok_at ? "last" : ""} <When at={canary.ok_at} />)
                </Text>
              </Box>
            ) : undefined,
          )}
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}
