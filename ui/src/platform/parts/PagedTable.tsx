import { Button, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { DataTable, type Column } from "../../parts/DataTable";

const ROWS = 50; // drawing more of them takes noticeable time at each answer

/** A table that draws fifty of its rows, however many it has. */
export function PagedTable<Row>(props: { label: string; columns: Column<Row>[]; rows: Row[]; id: (row: Row) => string }) {
  const [wanted, setWanted] = useState(0);
  const last = Math.max(0, Math.ceil(props.rows.length / ROWS) - 1);
  const at = Math.min(wanted, last); // the list may have become shorter
  return (
    <>
      <DataTable {...props} rows={props.rows.slice(at * ROWS, (at + 1) * ROWS)} />
      {last > 0 ? (
        <HStack as="nav" aria-label={`Pages of ${props.label}`} gap={2} mt={3}>
          <Button size="sm" variant="outline" disabled={at === 0} onClick={() => setWanted(at - 1)}>
            Previous
          </Button>
          <Button size="sm" variant="outline" disabled={at === last} onClick={() => setWanted(at + 1)}>
            Next
          </Button>
          <Text color="fg.muted" fontSize="sm">
            {at * ROWS + 1} to {Math.min((at + 1) * ROWS, props.rows.length)} of {props.rows.length}
          </Text>
        </HStack>
      ) : undefined}
    </>
  );
}
