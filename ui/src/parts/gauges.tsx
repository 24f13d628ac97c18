// How full an agent is, and how fast a queue.
import { Box, Flex, HStack, Text } from "@chakra-ui/react";

import { count } from "../data/words";

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
