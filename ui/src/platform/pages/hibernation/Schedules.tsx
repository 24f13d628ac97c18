import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { DataTable, type Column } from "../../../parts/DataTable";
import { RowButton } from "../../../parts/RowButton";
import type { HibernationView, SleepScheduleView } from "../../../../generated/platform";
import { Cron } from "../../parts/Cron";
import { RemoveSchedule } from "./scheduleForms";

/** The schedules that the Deployment follows, each with a way to remove it. */
export function Schedules({ found, path, mayChange, done }: { found: HibernationView; path: string; mayChange: boolean; done: () => void }) {
  const [removed, setRemoved] = useState<SleepScheduleView>();
  const rows = found.schedules.map((each, at) => ({ ...each, at }));
  const columns: Column<(typeof rows)[number]>[] = [
    { name: "Hibernates", cell: (each) => <Cron expression={each.hibernate_at_cron} /> },
    { name: "Wakes up", cell: (each) => <Cron expression={each.wake_at_cron} /> },
    { name: "Followed", cell: (each) => (each.is_enabled === false ? "no" : "yes") },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange ? (
          <RowButton dangerous label={`Remove schedule ${each.at + 1}`} onClick={() => setRemoved(found.schedules[each.at])}>
            Remove
          </RowButton>
        ) : undefined,
    },
  ];
  return (
    <>
      {rows.length === 0 ? (
        <Text color="fg.muted">No schedules: it runs all the time.</Text>
      ) : (
        <DataTable label="List of schedules" columns={columns} rows={rows} id={(each) => String(each.at)} />
      )}
      {removed ? <RemoveSchedule found={found} removed={removed} path={path} onClose={() => setRemoved(undefined)} done={done} /> : undefined}
    </>
  );
}
