import { Alert, Box, Text } from "@chakra-ui/react";

import type { Page } from "../data/types/page";
import type { Queue, Throughput } from "../data/types/queues";
import { usePolled } from "../data/usePolled";
import { count, duration } from "../data/words";
import { CanaryMark, FailedCanaries } from "../parts/canaries";
import { DataTable, type Column } from "../parts/DataTable";
import { SlotsBar, Sparkline } from "../parts/gauges";
import { Tags } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** Every queue: what waits, for how long, which agents serve it, how fast, and whether its canaries arrive. */
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
    { name: "Last canary", cell: (queue) => <CanaryMark canary={queue.canary} /> },
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
            <FailedCanaries queues={page.items} />
            <DataTable label="Queues" columns={columns} rows={page.items} id={key} />
          </>
        );
      }}
    </Shown>
  );
}

/** Queues are names within a site. */
function key(queue: { site: string | null; queue: string }): string {
  return `${queue.site ?? ""}\n${queue.queue}`;
}
