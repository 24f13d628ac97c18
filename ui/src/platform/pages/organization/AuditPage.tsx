import { Badge, Box, Button, Field, Flex, HStack, Input, Text } from "@chakra-ui/react";
import { useSearchParams } from "react-router-dom";

import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { Nothing, Shown } from "../../../parts/states";
import type { AuditEventView } from "../../../../generated/platform";
import type { Page } from "../../data/types";
import { useTitle } from "../../parts/page";

const LIMIT = 50;
const FILTERS = [
  { name: "actor", label: "Actor", type: "search" },
  { name: "action", label: "Action", type: "search" },
  { name: "target", label: "Target", type: "search" },
  { name: "since", label: "Since", type: "datetime-local" },
  { name: "until", label: "Until", type: "datetime-local" },
] as const;

/** Every change that was made or refused. The filters stand in the address. */
export function AuditPage() {
  useTitle("Audit");
  const [parameters, setParameters] = useSearchParams();
  const offset = Number(parameters.get("offset") ?? 0) || 0;
  const query = new URLSearchParams();
  for (const { name, type } of FILTERS) {
    const value = parameters.get(name);
    if (value) {
      query.set(name, type === "datetime-local" ? new Date(value).toISOString() : value);
    }
  }
  const exported = `/v1/audit/export?${query.toString()}`;
  query.set("limit", String(LIMIT));
  query.set("offset", String(offset));
  const polled = usePolled<Page<AuditEventView>>(`/audit?${query.toString()}`, 10);
  const set = (name: string, value: string) =>
    setParameters(
      (before) => {
        before.delete(name);
        if (name !== "offset") {
          before.delete("offset");
        }
        if (value) {
          before.set(name, value);
        }
        return before;
      },
      { replace: true },
    );
  return (
    <>
      <Flex gap={3} mb={4} wrap="wrap" align="flex-end">
        {FILTERS.map((each) => (
          <Field.Root key={each.name} w="auto">
            <Field.Label>{each.label}</Field.Label>
            <Input size="sm" type={each.type} maxLength={250} value={parameters.get(each.name) ?? ""} onChange={(event) => set(each.name, event.target.value)} />
          </Field.Root>
        ))}
        <Button asChild size="sm" variant="outline">
          <a href={exported} download="audit.ndjson">
            Export as NDJSON
          </a>
        </Button>
      </Flex>
      <Shown polled={polled} what="the audit trail">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No events match the filters" />
          ) : (
            <>
              <DataTable label="Audit events" columns={COLUMNS} rows={page.items} id={(each) => each.id} />
              <HStack gap={2} mt={3}>
                <Button size="sm" variant="outline" disabled={offset === 0} onClick={() => set("offset", String(Math.max(0, offset - LIMIT)))}>
                  Newer
                </Button>
                <Button size="sm" variant="outline" disabled={offset + LIMIT >= page.total} onClick={() => set("offset", String(offset + LIMIT))}>
                  Older
                </Button>
                <Text color="fg.muted">
                  {offset + 1} to {offset + page.items.length} of {page.total}
                </Text>
              </HStack>
            </>
          )
        }
      </Shown>
    </>
  );
}

const COLUMNS: Column<AuditEventView>[] = [
  { name: "When", cell: (each) => <When at={each.at} /> },
  {
    name: "Actor",
    cell: (each) => (
      <Box>
        <Text>{each.actor}</Text>
        <Text color="fg.muted" fontSize="xs">
          {each.actor_kind.replaceAll("_", " ")}
          {each.address ? ` from ${each.address}` : ""}
        </Text>
      </Box>
    ),
  },
  { name: "Action", cell: (each) => <code>{each.action}</code> },
  { name: "Target", cell: (each) => <Text wordBreak="break-word">{each.target}</Text> },
  {
    name: "Result",
    cell: (each) => (
      <Badge colorPalette={each.result === "done" ? "green" : "red"} variant="surface" textTransform="none">
        {each.result.replaceAll("_", " ")}
      </Badge>
    ),
  },
  {
    name: "Reason and changes",
    hideBelow: "md",
    cell: (each) => (
      <Box>
        {each.reason ? <Text>{each.reason}</Text> : undefined}
        {Object.keys(each.changes).length ? (
          <details>
            <summary>changes</summary>
            <Text as="pre" fontSize="xs" whiteSpace="pre-wrap" overflowWrap="anywhere">
              {JSON.stringify(each.changes, undefined, 1)}
            </Text>
          </details>
        ) : undefined}
      </Box>
    ),
  },
];
