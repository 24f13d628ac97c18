import { Link, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { duration, spaced } from "../../data/words";
import type { Column } from "../../parts/DataTable";
import { Clamped, When } from "../../parts/marks";
import type { OperationView } from "../../../generated/platform";
import { OperationBadge } from "./marks";
import { PagedTable } from "./PagedTable";

/** Operations, the newest first. */
export function OperationsTable({ operations, ofOne = false }: { operations: OperationView[]; ofOne?: boolean }) {
  const columns = ofOne ? COLUMNS.filter((each) => each.name !== "Deployment") : COLUMNS;
  return <PagedTable label="Operations" columns={columns} rows={operations} id={(each) => each.id} />;
}

export function lasted({ started_at, ended_at }: OperationView): string {
  if (started_at === null) {
    return "";
  }
  return duration(((ended_at === null ? Date.now() : Date.parse(ended_at)) - Date.parse(started_at)) / 1000);
}

const COLUMNS: Column<OperationView>[] = [
  {
    name: "Operation",
    cell: (each) => (
      <Link asChild color="fg.info" fontWeight="semibold">
        <RouterLink to={`/operations/${each.id}`}>{spaced(each.kind)}</RouterLink>
      </Link>
    ),
  },
  {
    name: "Deployment",
    cell: (each) => (
      <Link asChild color="fg.info">
        <RouterLink to={`/deployments/${each.deployment}`}>{each.deployment_name}</RouterLink>
      </Link>
    ),
  },
  { name: "State", cell: (each) => <OperationBadge state={each.state} /> },
  { name: "Step", hideBelow: "md", cell: step },
  { name: "Created", cell: (each) => <When at={each.created_at} /> },
  { name: "Duration", hideBelow: "md", cell: (each) => <Text whiteSpace="nowrap">{lasted(each)}</Text> },
  { name: "Created by", hideBelow: "md", cell: (each) => each.created_by },
];

function step(each: OperationView) {
  if (each.error) {
    return <Clamped text={each.error} of={`error of ${each.kind}`} />;
  }
  const now = each.steps.find((one) => one.state === "running");
  return now ? <Text>{spaced(now.name)}</Text> : undefined;
}
