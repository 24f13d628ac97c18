import { Box, Text } from "@chakra-ui/react";

import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import type { ConditionView } from "../../../../generated/platform";
import { StateDot } from "../../parts/marks";

/** What the platform has observed of a Deployment, each with its cause and remedy. */
export function Conditions({ conditions }: { conditions: ConditionView[] }) {
  return conditions.length === 0 ? (
    <Text color="fg.muted">Nothing is observed yet.</Text>
  ) : (
    <DataTable label="Conditions" columns={CONDITIONS} rows={conditions} id={(each) => each.type} />
  );
}

const WORDS: Record<string, string> = { true: "yes", false: "no", unknown: "unknown" };

/** "ApiServerReady" → "Api server ready" */
const words = (type: string) => {
  const text = type.replace(/([a-z])([A-Z])/gu, "$1 $2").toLowerCase();
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`.replace("Api ", "API ");
};

const CONDITIONS: Column<ConditionView>[] = [
  { name: "Condition", cell: (each) => words(each.type) },
  { name: "State", cell: (each) => <StateDot state={each.status} word={WORDS[each.status] ?? each.status} /> },
  {
    name: "Cause and remedy",
    cell: (each) => (
      <Box>
        {each.message ? <Text>{each.message}</Text> : undefined}
        {each.remedy ? <Text color="fg.muted">{each.remedy}</Text> : undefined}
      </Box>
    ),
  },
  { name: "Since", hideBelow: "md", cell: (each) => <When at={each.since} /> },
];
