import { Box, Button, Flex, HStack, Input, NativeSelect, Text } from "@chakra-ui/react";
import { useSearchParams } from "react-router-dom";

import type { Event, Page } from "../data/types";
import { usePolled } from "../data/usePolled";
import { spaced } from "../data/words";
import { DataTable, type Column } from "../parts/DataTable";
import { AgentLink, When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

const GROUPS = [
  ["agent", "Agents"],
  ["session", "Sessions"],
  ["token", "Tokens"],
  ["attempt", "Attempts"],
  ["bundle", "Bundles"],
];
const PART = 50;

/** Who changed what, when and why. The filters are in the address, so that a view can be passed on. */
export function EventsPage() {
  const [asked, setAsked] = useSearchParams();
  const of = (name: string) => asked.get(name) ?? "";
  const set = (name: string, value: string) =>
    setAsked(
      (before) => {
        const after = new URLSearchParams(before);
        value ? after.set(name, value) : after.delete(name);
        if (name !== "offset") {
          after.delete("offset");
        }
        return after;
      },
      { replace: true },
    );
  const query = new URLSearchParams({ limit: String(PART) });
  for (const name of ["action", "actor", "subject", "offset"]) {
    if (of(name)) {
      query.set(name, of(name));
    }
  }
  return (
    <>
      <Flex gap={3} mb={4} wrap="wrap">
        <NativeSelect.Root size="sm" w="13em">
          <NativeSelect.Field
            aria-label="Category"
            value={of("action")}
            onChange={(event: { target: { value: string } }) => set("action", event.target.value)}
          >
            <option value="">All events</option>
            {GROUPS.map(([group, words]) => (
              <option key={group} value={group}>
                {words}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
        <Input
          size="sm"
          maxW="14em"
          aria-label="Actor"
          placeholder="Actor: ada, agent:eu-1"
          value={of("actor")}
          onChange={(event) => set("actor", event.target.value)}
        />
        <Input
          size="sm"
          maxW="16em"
          aria-label="Subject"
          placeholder="Subject: agent:eu-1, token:ci"
          value={of("subject")}
          onChange={(event) => set("subject", event.target.value)}
        />
      </Flex>
      <EventTable query={query.toString()} seconds={3} turn={(offset) => set("offset", offset ? String(offset) : "")} />
    </>
  );
}

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
            {turn ? <Turning page={page} turn={turn} /> : undefined}
          </>
        )
      }
    </Shown>
  );
}

function Turning({ page, turn }: { page: Page<Event>; turn: (offset: number) => void }) {
  const last = page.offset + page.items.length;
  return (
    <HStack mt={3} gap={3}>
      <Button size="sm" variant="outline" disabled={page.offset === 0} onClick={() => turn(Math.max(page.offset - PART, 0))}>
        Newer
      </Button>
      <Button size="sm" variant="outline" disabled={last >= page.total} onClick={() => turn(last)}>
        Older
      </Button>
      <Text color="fg.muted" fontSize="sm">
        {page.offset + 1} to {last} of {page.total}
      </Text>
    </HStack>
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
