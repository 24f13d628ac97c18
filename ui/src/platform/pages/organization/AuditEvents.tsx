import { Badge, Box, Button, Text } from "@chakra-ui/react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { moment, spaced } from "../../../data/words";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { Paging } from "../../../parts/Paging";
import { Nothing, Shown } from "../../../parts/states";
import type { AuditEventView } from "../../../../generated/platform";
import { useScopeNames } from "../../data/useScopeNames";

export const FILTERS = ["actor", "action", "target"] as const;

/** Events of the audit trail that `query` asks for. An actor, an action or a target leads to all of its events. */
export function AuditEvents({
  query,
  turn,
  filter,
}: {
  query: string;
  turn: (offset: number) => void;
  filter: (name: (typeof FILTERS)[number], value: string) => void;
}) {
  const polled = usePolled<Page<AuditEventView>>(`/audit?${query}`, 10);
  const scope = useScopeNames();
  const columns: Column<AuditEventView>[] = [
    {
      name: "Time",
      cell: (event) => (
        <Box title={moment(event.at)}>
          <When at={event.at} />
        </Box>
      ),
    },
    {
      name: "Actor",
      cell: (event) => (
        <Box>
          <Narrow words={event.actor} what="actor" onClick={() => filter("actor", event.actor)} />
          <Text color="fg.muted" fontSize="xs">
            {[spaced(event.actor_kind), event.address ? `from ${event.address}` : ""].filter(Boolean).join(", ")}
          </Text>
        </Box>
      ),
    },
    { name: "Action", cell: (event) => <Narrow words={event.action} what="action" onClick={() => filter("action", event.action)} /> },
    {
      name: "Target",
      cell: (event) => (
        <Box overflowWrap="anywhere">
          {event.target ? <Narrow words={event.target} what="target" onClick={() => filter("target", event.target)} /> : "–"}
          <Text color="fg.muted" fontSize="xs">
            {event.workspace === null && event.deployment === null ? undefined : scope(event)}
          </Text>
        </Box>
      ),
    },
    {
      name: "Result",
      cell: (event) => (
        <Badge colorPalette={event.result === "done" ? "green" : "red"} variant="surface" textTransform="none">
          {spaced(event.result)}
        </Badge>
      ),
    },
    { name: "Changes and reason", hideBelow: "md", cell: (event) => <Changes event={event} /> },
  ];
  return (
    <Shown polled={polled} what="the audit trail">
      {(page) =>
        page.items.length === 0 ? (
          <Nothing title="No events">No event has these values. A filter compares the whole value.</Nothing>
        ) : (
          <>
            <DataTable label="Audit events" columns={columns} rows={page.items} id={(event) => event.id} />
            <Paging page={page} turn={turn} />
          </>
        )
      }
    </Shown>
  );
}

function Narrow({ words, what, onClick }: { words: string; what: string; onClick: () => void }) {
  return (
    <Button
      variant="plain"
      size="sm"
      h="auto"
      minW={0}
      p={0}
      fontWeight="normal"
      color="fg.info"
      whiteSpace="normal"
      textAlign="start"
      overflowWrap="anywhere"
      title={`Only events of this ${what}`}
      onClick={onClick}
    >
      {words}
    </Button>
  );
}

function Changes({ event }: { event: AuditEventView }) {
  const changes = Object.entries(event.changes).map(([field, change]) => `${spaced(field)}: ${inWords(change)}`);
  return (
    <Box minW="12em" maxW="34em" overflowWrap="anywhere">
      {event.reason ? <Text>{event.reason}</Text> : undefined}
      {changes.length ? (
        <Text color="fg.muted" fontSize="xs">
          {changes.join("; ")}
        </Text>
      ) : undefined}
    </Box>
  );
}

/** `[before, after]` as an arrow, and anything else as it is. */
function inWords(change: unknown): string {
  if (Array.isArray(change) && change.length === 2) {
    const [before, after] = change as [unknown, unknown];
    return before === null || before === undefined ? plain(after) : `${plain(before)} → ${plain(after)}`;
  }
  return plain(change);
}

const plain = (value: unknown): string =>
  value === null || value === "" ? "none" : typeof value === "string" ? value : JSON.stringify(value);
