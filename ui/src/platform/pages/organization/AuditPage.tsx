import { Badge, Box, Button, Flex, HStack, Input, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";
import { useSearchParams } from "react-router-dom";

import type { Page } from "../../data/types";
import { usePolled } from "../../../data/usePolled";
import { moment, spaced } from "../../../data/words";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { Nothing, Shown } from "../../../parts/states";
import type { AuditEventView } from "../../../../generated/platform";
import { useScopeNames } from "../../data/useScopeNames";
import { PageTop } from "../../parts/page";

const PART = 50;
const PERIODS: [seconds: string, words: string][] = [
  ["", "Any time"],
  ["3600", "Last hour"],
  ["86400", "Last 24 hours"],
  ["604800", "Last 7 days"],
  ["2592000", "Last 30 days"],
];
const FILTERS = ["actor", "action", "target"] as const;

/** Who changed what, when, from where and why; refused requests, too. The filters are in the address. */
export function AuditPage() {
  const [asked, setAsked] = useSearchParams();
  const [now] = useState(() => Date.now()); // the page's own moment: a query that changes each second is never answered twice
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
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    if (of(name)) {
      query.set(name, of(name));
    }
  }
  if (of("period")) {
    query.set("since", new Date(now - Number(of("period")) * 1000).toISOString());
  }
  const page = new URLSearchParams(query);
  page.set("limit", String(PART));
  page.set("offset", of("offset") || "0");
  return (
    <>
      <PageTop title="Audit" help="One event for each change, also for one that was refused. Values of secrets are never in it.">
        <Button asChild size="sm" variant="outline">
          <a href={`/v1/audit/export?${query.toString()}`} download="audit.ndjson">
            Export NDJSON
          </a>
        </Button>
      </PageTop>
      <Flex gap={3} mb={4} wrap="wrap">
        <NativeSelect.Root size="sm" w="11em">
          <NativeSelect.Field
            aria-label="Period"
            value={of("period")}
            onChange={(event: { target: { value: string } }) => set("period", event.target.value)}
          >
            {PERIODS.map(([seconds, words]) => (
              <option key={seconds} value={seconds}>
                {words}
              </option>
            ))}
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
        <Filter name="Actor" example="ada, token:ci" value={of("actor")} onValue={(value) => set("actor", value)} />
        <Filter name="Action" example="deployment.create" value={of("action")} onValue={(value) => set("action", value)} />
        <Filter name="Target" example="deployment:sales" value={of("target")} onValue={(value) => set("target", value)} />
        {[...asked.keys()].length > 0 ? (
          <Button size="sm" variant="ghost" onClick={() => setAsked({}, { replace: true })}>
            Clear filters
          </Button>
        ) : undefined}
      </Flex>
      <Events
        query={page.toString()}
        turn={(offset) => set("offset", offset ? String(offset) : "")}
        filter={(name, value) => set(name, value)}
      />
    </>
  );
}

/** A filter that is applied when it is whole: the API compares whole values. */
function Filter(props: { name: string; example: string; value: string; onValue: (value: string) => void }) {
  const [typed, setTyped] = useState<string>();
  const apply = () => {
    if (typed !== undefined) {
      props.onValue(typed.trim());
      setTyped(undefined);
    }
  };
  return (
    <Input
      size="sm"
      maxW="16em"
      aria-label={props.name}
      placeholder={`${props.name}: ${props.example}`}
      value={typed ?? props.value}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={apply}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          apply();
        }
      }}
    />
  );
}

function Events({
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
            <Turning page={page} turn={turn} />
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

function Turning({ page, turn }: { page: Page<unknown>; turn: (offset: number) => void }) {
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
