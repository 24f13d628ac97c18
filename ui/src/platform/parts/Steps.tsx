import { Box, HStack, List, Spinner, Text } from "@chakra-ui/react";

import { duration, spaced } from "../../data/words";
import type { OperationView, StepView } from "../../../generated/platform";

const SIGNS: Record<string, string> = { succeeded: "✓", failed: "✕", skipped: "–", pending: "○" };
const INKS: Record<string, string> = { succeeded: "fg.success", failed: "fg.error" };

/** The steps of an operation, live: what is done, what is being done and for how long, and why one failed. */
export function Steps({ operation }: { operation: OperationView }) {
  return (
    <List.Root as="ol" variant="plain" aria-label={`Steps of ${operation.kind}`} gap={2}>
      {operation.steps.map((step) => (
        <List.Item key={step.name} alignItems="flex-start" {...(step.state === "running" ? { "aria-current": "step" as const } : {})}>
          <HStack gap={2} align="flex-start">
            <Box w={5} textAlign="center" flexShrink={0} color={INKS[step.state] ?? "fg.muted"} aria-hidden>
              {step.state === "running" ? <Spinner size="xs" /> : SIGNS[step.state]}
            </Box>
            <Box minW={0}>
              <Text as="span" fontWeight={step.state === "running" ? "semibold" : "normal"}>
                {spaced(step.name)}
              </Text>{" "}
              <Text as="span" color="fg.muted" fontSize="xs">
                {step.state}
                {took(step)}
                {step.tries > 1 ? `, try ${step.tries}` : ""}
              </Text>
              {step.message ? (
                <Text fontSize="xs" color={step.state === "failed" ? "fg.error" : "fg.muted"} whiteSpace="pre-wrap" overflowWrap="anywhere">
                  {step.message}
                </Text>
              ) : undefined}
            </Box>
          </HStack>
        </List.Item>
      ))}
    </List.Root>
  );
}

function took({ started_at, ended_at }: StepView): string {
  if (started_at === null) {
    return "";
  }
  const until = ended_at === null ? Date.now() : Date.parse(ended_at);
  return `, ${duration((until - Date.parse(started_at)) / 1000)}`;
}
