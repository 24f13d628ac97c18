import { Button, List, Text } from "@chakra-ui/react";
import { useState } from "react";

import { duration } from "../../../data/words";
import { DataTable, type Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import type { MaintenanceView, MaintenanceWindow } from "../../../../generated/platform";
import { errorOf } from "../../data/fieldErrors";
import { Conflict } from "../../parts/Conflict";
import { Cron } from "../../parts/Cron";
import { CronField } from "../../parts/CronField";
import { Panel } from "../../parts/page";
import { useChanging } from "./changes";
import { opens, type OfMaintenance } from "./maintenance";

/** When upgrades and clean-ups may begin. */
export function WindowsPanel({ found, path, mayChange, done }: OfMaintenance) {
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<MaintenanceWindow>();
  const columns: Column<MaintenanceWindow & { at: number }>[] = [
    { name: "Opens", cell: (each) => <Cron expression={each.opens_at_cron} /> },
    { name: "For", cell: (each) => <Text whiteSpace="nowrap">{duration(each.minutes * 60)}</Text> },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange ? (
          <RowButton dangerous label={`Remove window ${each.at + 1}`} onClick={() => setRemoved(found.windows[each.at])}>
            Remove
          </RowButton>
        ) : undefined,
    },
  ];
  return (
    <Panel
      title="Maintenance windows"
      action={
        mayChange ? (
          <Button size="sm" variant="outline" onClick={() => setAdding(true)}>
            Add window
          </Button>
        ) : undefined
      }
    >
      <Text color="fg.muted" mb={3}>
        Upgrades and clean-ups begin only while a window is open. What becomes due in between waits for the next one. Backups and checks begin at any time.
      </Text>
      {found.windows.length === 0 ? (
        <Text>No windows: upgrades and clean-ups begin at any time.</Text>
      ) : (
        <>
          <Text mb={3}>{opens(found)}</Text>
          <DataTable label="List of windows" columns={columns} rows={found.windows.map((each, at) => ({ ...each, at }))} id={(each) => String(each.at)} />
        </>
      )}
      {adding ? <AddWindow found={found} path={path} onClose={() => setAdding(false)} done={done} /> : undefined}
      {removed ? <RemoveWindow found={found} path={path} removed={removed} onClose={() => setRemoved(undefined)} done={done} /> : undefined}
    </Panel>
  );
}

const same = (one: MaintenanceWindow, other: MaintenanceWindow) => one.opens_at_cron === other.opens_at_cron && one.minutes === other.minutes;

type Asked = { found: MaintenanceView; path: string; onClose: () => void; done: (saved: MaintenanceView) => void };

function AddWindow({ found, path, onClose, done }: Asked) {
  const say = useSay();
  const [cron, setCron] = useState("0 22 * * *");
  const [minutes, setMinutes] = useState("240");
  const [reason, setReason] = useState("");
  const [at, setAt] = useState(found.windows.length); // of the added one in the list that was sent
  const cronField = `windows.${at}.opens_at_cron`;
  const minutesField = `windows.${at}.minutes`;
  const { error, newer, save } = useChanging(path, found, [cronField, minutesField]);
  const send = async () => {
    const added = { opens_at_cron: cron.trim(), minutes: Number(minutes) };
    const saved = await save(({ windows }) => {
      setAt(windows.length);
      return { windows: [...windows, added] };
    }, reason);
    if (saved) {
      say("The window was added");
      done(saved);
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title="Add maintenance window" open onClose={onClose} submit="Add" onSubmit={send}>
      <CronField label="Opens at" value={cron} set={setCron} error={errorOf(error, cronField)} />
      <TextField
        label="Minutes it is open"
        required
        type="number"
        min={1}
        max={10080}
        help="In which an operation may begin. One that has begun is not ended with the window."
        problem={errorOf(error, minutesField)}
        value={minutes}
        set={setMinutes}
      />
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="maintenance" what="The windows are" now={<Listed windows={newer.windows} />} submit="Add" /> : undefined}
    </FormDialog>
  );
}

function RemoveWindow({ found, path, removed, onClose, done }: Asked & { removed: MaintenanceWindow }) {
  const say = useSay();
  const [reason, setReason] = useState("");
  const { newer, save } = useChanging(path, found, []);
  const last = found.windows.length === 1;
  const send = async () => {
    const saved = await save(({ windows }) => {
      const at = windows.findIndex((each) => same(each, removed));
      return { windows: windows.filter((_, index) => index !== at) };
    }, reason);
    if (saved) {
      say("The window was removed");
      done(saved);
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title="Remove maintenance window" open onClose={onClose} submit="Remove" onSubmit={send}>
      <Text>
        The window that opens <Cron expression={removed.opens_at_cron} /> is removed.{" "}
        {last ? "Without windows, upgrades and clean-ups begin at any time." : "Upgrades and clean-ups begin in the other ones."}
      </Text>
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="maintenance" what="The windows are" now={<Listed windows={newer.windows} />} submit="Remove" /> : undefined}
    </FormDialog>
  );
}

function Listed({ windows }: { windows: MaintenanceWindow[] }) {
  return windows.length === 0 ? (
    "none"
  ) : (
    <List.Root as="span" display="inline">
      {windows.map((each) => `${each.opens_at_cron} for ${duration(each.minutes * 60)}`).join("; ")}
    </List.Root>
  );
}
