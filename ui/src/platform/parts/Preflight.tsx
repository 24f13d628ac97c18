import { Badge, Box, Text } from "@chakra-ui/react";

import { DataTable, type Column } from "../../parts/DataTable";
import type { OperationView } from "../../../generated/platform";

type Check = { check: string; verdict: "ok" | "warning" | "refused"; message: string; remedy: string };

const PALETTES = { ok: "green", warning: "orange", refused: "red" };

/** What an upgrade would meet, as the operation has found it out. Nothing for one that has looked at nothing. */
export function Preflight({ operation }: { operation: OperationView }) {
  const checks = operation.facts["preflight"] as Check[] | undefined;
  return checks ? <DataTable label="Checks" columns={COLUMNS} rows={checks} id={(each) => each.check} /> : undefined;
}

const COLUMNS: Column<Check>[] = [
  { name: "Check", cell: (each) => each.check },
  {
    name: "Result",
    cell: (each) => (
      <Badge variant="surface" colorPalette={PALETTES[each.verdict]}>
        {each.verdict}
      </Badge>
    ),
  },
  {
    name: "Cause and remedy",
    cell: (each) => (
      <Box>
        {each.message ? <Text>{each.message}</Text> : undefined}
        {each.remedy ? <Text color="fg.muted">{each.remedy}</Text> : undefined}
      </Box>
    ),
  },
];
