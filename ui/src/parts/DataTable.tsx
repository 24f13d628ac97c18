import { Box, Table } from "@chakra-ui/react";
import type { ReactNode } from "react";

export type Column<Row> = {
  name: string;
  cell: (row: Row) => ReactNode;
  hideBelow?: "md" | "lg" | "xl";
  width?: string;
  quiet?: boolean; // the name is for screen readers only
};

/** A table in Airflow's look. Wider than the screen, it scrolls by mouse, touch and keyboard. */
export function DataTable<Row>({
  label,
  columns,
  rows,
  id,
}: {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  id: (row: Row) => string;
}) {
  return (
    <Box overflowX="auto" position="relative" role="region" aria-label={label} tabIndex={0} borderWidth={1} borderRadius="md">
      <Table.Root size="sm" striped>
        <Table.Header>
          <Table.Row>
            {columns.map((column) => (
              <Table.ColumnHeader
                key={column.name}
                scope="col"
                width={column.width}
                whiteSpace="nowrap"
                {...(column.hideBelow ? { hideBelow: column.hideBelow } : {})}
              >
                {column.quiet ? <Hidden>{column.name}</Hidden> : column.name}
              </Table.ColumnHeader>
            ))}
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {rows.map((row) => (
            <Table.Row key={id(row)}>
              {columns.map((column) => (
                <Table.Cell
                  key={column.name}
                  verticalAlign="top"
                  {...(column.hideBelow ? { hideBelow: column.hideBelow } : {})}
                >
                  {column.cell(row)}
                </Table.Cell>
              ))}
            </Table.Row>
          ))}
        </Table.Body>
      </Table.Root>
    </Box>
  );
}

/** Text for screen readers only. */
export function Hidden({ children }: { children: ReactNode }) {
  return (
    <Box as="span" srOnly>
      {children}
    </Box>
  );
}
