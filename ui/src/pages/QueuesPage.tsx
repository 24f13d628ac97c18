import { Alert, Badge, Box, HStack, Text } from "@chakra-ui/react";

import type { Canary, CanaryHop, Page, Queue, Throughput } from "../data/types";
import { usePolled } from "../data/usePolled";
import { count, duration } from "../data/words";
import { DataTable, type Column } from "../parts/DataTable";
import { SlotsBar, Sparkline, Tags, When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** Every queue: what waits, for how long, who serves it, how fast. */
export function QueuesPage() {
  const polled = usePolled<Page<Queue>>("/queues", 3);
  const throughput = usePolled<Throughput>("/queues/throughput?minutes=60", 20).data;
  const lately = new Map(throughput?.queues.map((queue) => [key(queue), queue]));
  const idle = Array.from({ length: 60 }, () => 0);

  const columns: Column<Queue>[] = [
    { name: "Site", cell: (queue) => queue.site ?? "none" },
    { name: "Queue", cell: (queue) => <Text fontWeight="semibold">{queue.queue}</Text> },
    { name: "Queued", cell: (queue) => queue.depth },
    { name: "Longest wait", cell: (queue) => (queue.depth ? duration(queue.oldest_wait) : "") },
    { name: "Running", cell: (queue) => queue.running },
    { name: "Slots", cell: (queue) => <SlotsBar used={queue.slots_used} total={queue.slots} of={queue.queue} /> },
    {
      name: "Finished in the last hour",
      hideBelow: "lg",
      cell: (queue) =>
        throughput === undefined ? undefined : (
          <Sparkline
            of={queue.queue}
            finished={lately.get(key(queue))?.finished ?? idle}
            failed={lately.get(key(queue))?.failed ?? idle}
          />
        ),
    },
    { name: "Last canary", cell: (queue) => <LastCanary canary={queue.canary} /> },
    { name: "Served by", cell: (queue) => <Tags names={queue.agents} empty="no agent" /> },
  ];
  return (
    <Shown polled={polled} what="queues">
      {(page) => {
        const wrong = page.items.filter((queue) => queue.warning);
        return page.items.length === 0 ? (
          <Nothing title="No queues">A queue is listed when an agent serves it or when work waits in it.</Nothing>
        ) : (
          <>
            {wrong.length ? (
              <Alert.Root status="warning" mb={4} alignItems="flex-start">
                <Alert.Indicator />
                <Alert.Content>
                  <Alert.Title>Work waits in {count(wrong.length, "queue")} and no agent takes it</Alert.Title>
                  <Alert.Description>
                    {wrong.map((queue) => (
                      <Box key={key(queue)}>
                        <b>{[queue.site, queue.queue].filter(Boolean).join(" / ")}</b>: {queue.warning}
                      </Box>
                    ))}
                  </Alert.Description>
                </Alert.Content>
              </Alert.Root>
            ) : undefined}
            <DataTable label="Queues" columns={columns} rows={page.items} id={key} />
          </>
        );
      }}
    </Shown>
  );
}

const HOPS: CanaryHop[] = ["claim", "start", "log", "finish"];
const RESULTS: Record<Canary["result"], string> = {
  ok: "green",
  failed: "red",
  busy: "blue",
  asleep: "gray",
  unknown: "gray",
};

/** How the last canary of a queue ended, how long each part took, and for a failed one why and what helps. */
function LastCanary({ canary }: { canary: Canary | null }) {
  if (canary === null) return <Text color="fg.muted">none yet</Text>;
  const parts = HOPS.flatMap((hop) => {
    const seconds = canary.seconds[hop];
    return seconds === undefined ? [] : [`${hop} ${seconds.toFixed(2)} s`];
  });
  return (
    <Box minWidth="14rem">
      <HStack>
        <Badge colorPalette={RESULTS[canary.result]} variant="surface">
          {canary.hop ? `${canary.result}: ${canary.hop}` : canary.result}
        </Badge>
        <When at={canary.at} />
      </HStack>
      {parts.length ? (
        <Text fontSize="xs" color="fg.muted">
          {parts.join(", ")}
        </Text>
      ) : undefined}
      {canary.agent && canary.result === "failed" ? <Text fontSize="xs">Agent: {canary.agent}</Text> : undefined}
      {canary.rule ? <Text fontSize="xs">Rule: {canary.rule}</Text> : undefined}
      {canary.reason ? <Text fontSize="xs">{canary.reason}</Text> : undefined}
      {canary.remedy ? <Text fontSize="xs">{canary.remedy}</Text> : undefined}
    </Box>
  );
}

/** Queues are names within a site. */
function key(queue: { site: string | null; queue: string }): string {
  return `${queue.site ?? ""}\n${queue.queue}`;
}
