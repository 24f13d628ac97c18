import { Box, Text } from "@chakra-ui/react";

import type { Event } from "../../data/types/events";
import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { spaced } from "../../data/words";
import { AgentLink } from "../../parts/agents";
import { DataTable, type Column } from "../../parts/DataTable";
import { When } from "../../parts/marks";
import { Paging } from "../../parts/Paging";
import { Nothing, Shown } from "../../parts/states";

/** Events that `query` asks for. `turn` shows earlier or later ones, where the page has a way to. */
export function EventTable({
  query,
  seconds,
  subjects = true,
  turn,
}: {
  query: string;
  seconds: number;
  subjects?: boolean;
  turn?: (offset: number) => void;
}) {
  const polled = usePolled<Page<Event>>(`/events?${query}`, seconds);
  const columns: Column<Event>[] = [
    { name: "Time", cell: (event) => <When at={event.at} /> },
    { name: "Action", cell: (event) => <Text whiteSpace="nowrap">{spaced(event.action)}</Text> },
    ...(subjects ? [{ name: "Subject", cell: (event: Event) => <Subject event={event} /> }] : []),
    {
      name: "Actor",
      cell: (event) => (
        <Box>
          {event.actor}
          {event.address ? (
            <Text color="fg.muted" fontSize="xs">
              from {event.address}
            </Text>
          ) : undefined}
        </Box>
      ),
    },
    { name: "Reason", cell: (event) => <Why event={event} /> },
  ];
  return (
    <Shown polled={polled} what="events">
      {(page) =>
        page.items.length === 0 ? (
          <Nothing title="No events" />
        ) : (
          <>
            <DataTable label="Events" columns={columns} rows={page.items} id={(event) => event.id} />
            {turn ? <Paging page={page} turn={turn} /> : undefined}
          </>
        )
      }
    </Shown>
  );
}

function Subject({ event }: { event: Event }) {
  const id = event.detail["agent_id"];
  return event.subject.startsWith("agent:") && typeof id === "string" ? (
    <AgentLink id={id} name={event.subject} />
  ) : (
    <Text wordBreak="break-word">{event.subject}</Text>
  );
}

function Why({ event }: { event: Event }) {
  const more = Object.entries(event.detail)
    .filter(([name, value]) => !name.endsWith("_id") && ["string", "number", "boolean"].includes(typeof value))
    .map(([name, value]) => `${spaced(name)}: ${String(value)}`);
  return (
    <Box minW="12em">
      {event.reason ? <Text>{event.reason}</Text> : undefined}
      {more.length ? (
        <Text color="fg.muted" fontSize="xs">
          {more.join(", ")}
        </Text>
      ) : undefined}
    </Box>
  );
}
