import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { MaintenanceView, RecurringWork, RecurringWorkView } from "../../../../generated/platform";
import { errorOf } from "../../data/fieldErrors";
import { Conflict } from "../../parts/Conflict";
import { CronField } from "../../parts/CronField";
import { useChanging } from "./changes";

export type Work = {
  of: "clean_up" | "backups"; // the field of the API
  name: string; // as in "Schedule of clean-ups"
  keeps: string; // label of the days
  usual: RecurringWork; // what the form begins with
};

type Asked = { work: Work; found: MaintenanceView; path: string; onClose: () => void; done: (saved: MaintenanceView) => void };

/** Asks when work recurs, and for how long what it leaves is kept. */
export function RecurringForm({ work, found, path, onClose, done }: Asked) {
  const say = useSay();
  const before = found[work.of];
  const [cron, setCron] = useState(before.cron || work.usual.cron);
  const [days, setDays] = useState(String(before.keep_days || work.usual.keep_days));
  const [reason, setReason] = useState("");
  const fields = [`${work.of}.cron`, `${work.of}.keep_days`] as const;
  const { error, newer, save } = useChanging(path, found, [...fields]);
  const send = async () => {
    const wanted = { cron: cron.trim(), keep_days: Number(days), is_enabled: true };
    const saved = await save(() => ({ [work.of]: wanted }), reason);
    if (saved) {
      say(`The schedule of ${work.name} was saved`);
      done(saved);
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title={`Schedule of ${work.name}`} open onClose={onClose} submit="Save" onSubmit={send}>
      <CronField label="Begins at" value={cron} set={setCron} error={errorOf(error, fields[0])} />
      <TextField
        label={work.keeps}
        required
        type="number"
        min={1}
        max={3650}
        problem={errorOf(error, fields[1])}
        value={days}
        set={setDays}
      />
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="maintenance" what={`The schedule of ${work.name} is`} now={said(newer[work.of])} submit="Save" /> : undefined}
    </FormDialog>
  );
}

/** Asks why work shall recur no longer. */
export function TurnOff({ work, found, path, onClose, done }: Asked) {
  const say = useSay();
  const [reason, setReason] = useState("");
  const { newer, save } = useChanging(path, found, []);
  const send = async () => {
    const saved = await save(() => ({ [work.of]: null }), reason);
    if (saved) {
      say(`The schedule of ${work.name} is off`);
      done(saved);
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title={`Turn off the schedule of ${work.name}`} open onClose={onClose} submit="Turn off" onSubmit={send}>
      <Text>None begins by itself from now on. One that has begun goes on.</Text>
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="maintenance" what={`The schedule of ${work.name} is`} now={said(newer[work.of])} submit="Turn off" /> : undefined}
    </FormDialog>
  );
}

const said = (work: RecurringWorkView) => (work.is_enabled ? `${work.cron}, ${work.keep_days} days` : "off");
