// A schedule is added or removed: a change of the list that the person saw.
import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { ReasonField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { ChangeHibernation, HibernationView, SleepScheduleView } from "../../../../generated/platform";
import { errorOf } from "../../data/fieldErrors";
import { useChange } from "../../data/useChange";
import { Conflict } from "../../parts/Conflict";
import { Cron } from "../../parts/Cron";
import { CronField } from "../../parts/CronField";

type Change = { path: string; onClose: () => void; done: () => void };

const useChanging = (path: string, found: HibernationView, fields: string[]) =>
  useChange<HibernationView, ChangeHibernation>(`${path}/hibernation`, "PUT", found, fields);

const same = (one: SleepScheduleView, other: SleepScheduleView) =>
  one.hibernate_at_cron === other.hibernate_at_cron && one.wake_at_cron === other.wake_at_cron && one.is_enabled === other.is_enabled;

const listed = ({ schedules }: HibernationView) =>
  schedules.map((each) => `from ${each.hibernate_at_cron} to ${each.wake_at_cron}${each.is_enabled === false ? ", not followed" : ""}`).join("; ") || "none";

export function RemoveSchedule({ found, removed, path, onClose, done }: Change & { found: HibernationView; removed: SleepScheduleView }) {
  const say = useSay();
  const [reason, setReason] = useState("");
  const { newer, save } = useChanging(path, found, []);
  const send = async () => {
    const saved = await save(({ schedules }) => {
      const at = schedules.findIndex((each) => same(each, removed));
      return { schedules: schedules.filter((_, index) => index !== at) };
    }, reason);
    if (saved) {
      say("The schedule was removed");
      done();
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title="Remove schedule" open onClose={onClose} submit="Remove" onSubmit={send}>
      <Text>
        It hibernates <Cron expression={removed.hibernate_at_cron} />, and wakes up <Cron expression={removed.wake_at_cron} />. The Deployment follows the
        other schedules from now on.
      </Text>
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="hibernation" what="The schedules are" now={listed(newer)} submit="Remove" /> : undefined}
    </FormDialog>
  );
}

export function AddSchedule({ found, path, onClose, done }: Change & { found: HibernationView }) {
  const say = useSay();
  const [sleep, setSleep] = useState("0 19 * * 1-5");
  const [wake, setWake] = useState("0 6 * * 1-5");
  const [reason, setReason] = useState("");
  const [at, setAt] = useState(found.schedules.length); // of the added one in the list that was sent
  const [sleepField, wakeField] = ["hibernate_at_cron", "wake_at_cron"].map((each) => `schedules.${at}.${each}`) as [string, string];
  const { error, newer, save } = useChanging(path, found, [sleepField, wakeField]);
  const send = async () => {
    const added = { hibernate_at_cron: sleep.trim(), wake_at_cron: wake.trim(), is_enabled: true };
    const saved = await save(({ schedules }) => {
      setAt(schedules.length);
      return { schedules: [...schedules, added] };
    }, reason);
    if (saved) {
      say("The schedule was added");
      done();
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title="Add schedule" open onClose={onClose} submit="Add" onSubmit={send}>
      <CronField label="Hibernates at" value={sleep} set={setSleep} error={errorOf(error, sleepField)} />
      <CronField label="Wakes up at" value={wake} set={setWake} error={errorOf(error, wakeField)} />
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="hibernation" what="The schedules are" now={listed(newer)} submit="Add" /> : undefined}
    </FormDialog>
  );
}
