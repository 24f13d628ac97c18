import { Alert, Button, Field, Flex, Input, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../../data/usePolled";
import { ago, moment, spaced } from "../../../data/words";
import { DataTable, type Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { ChangeHibernation, Hibernate, HibernationView, OperationView, SleepScheduleView, WakeUp } from "../../../../generated/platform";
import { errorOf } from "../../data/fieldErrors";
import { allows, useMe } from "../../data/permissions";
import { ofPlatform, referenceOf } from "../../data/platform";
import { useChange } from "../../data/useChange";
import { Conflict } from "../../parts/Conflict";
import { Cron } from "../../parts/Cron";
import { CronField } from "../../parts/CronField";
import { Panel } from "../../parts/page";
import { Reason } from "../../parts/Reason";
import type { OfDeployment } from "./DeploymentPage";

/** When a Deployment sleeps: by schedules, or because somebody said so. */
export function HibernationPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.hibernate", { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}`;
  const polled = usePolled<HibernationView>(`${path}/hibernation`, 5);
  const [asking, setAsking] = useState<"hibernate" | "wake" | "add">();
  const refresh = () => {
    polled.refresh();
    done();
  };
  return (
    <Shown polled={polled} what="hibernation">
      {(found) => (
        <VStack align="stretch" gap={4} maxW="52em">
          <Panel title="Now">
            <Flex justify="space-between" align="center" gap={4} wrap="wrap">
              <Text>
                {deployment.phase === "asleep" ? "The Deployment sleeps." : `The Deployment is ${spaced(deployment.phase)}.`} {next(found)} {override(found)}
              </Text>
              {mayChange && deployment.phase === "running" ? (
                <Button size="sm" variant="outline" onClick={() => setAsking("hibernate")}>
                  Hibernate
                </Button>
              ) : mayChange && deployment.phase === "asleep" ? (
                <Button size="sm" colorPalette="brand" onClick={() => setAsking("wake")}>
                  Wake up
                </Button>
              ) : undefined}
            </Flex>
          </Panel>
          <Panel
            title="Schedules"
            action={
              mayChange ? (
                <Button size="sm" variant="outline" onClick={() => setAsking("add")}>
                  Add schedule
                </Button>
              ) : undefined
            }
          >
            <Schedules found={found} path={path} mayChange={mayChange} done={refresh} />
          </Panel>
          {asking === "hibernate" ? <AskHibernate path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
          {asking === "wake" ? <AskWakeUp path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
          {asking === "add" ? <AddSchedule found={found} path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
        </VStack>
      )}
    </Shown>
  );
}

const next = ({ next_event, next_event_at }: HibernationView) =>
  next_event && next_event_at ? `Next: ${next_event === "wake" ? "wakes up" : "hibernates"} ${ago(next_event_at)} (${moment(next_event_at)}).` : "Nothing is planned.";

const override = ({ override_sleeps, override_until }: HibernationView) =>
  override_sleeps === null
    ? ""
    : `Somebody said that it shall ${override_sleeps ? "sleep" : "run"} ${override_until ? `until ${moment(override_until)}` : "until further notice"}.`;

type Change = { path: string; onClose: () => void; done: () => void };

const useChanging = (path: string, found: HibernationView, fields: string[]) =>
  useChange<HibernationView, ChangeHibernation>(`${path}/hibernation`, "PUT", found, fields);

const same = (one: SleepScheduleView, other: SleepScheduleView) =>
  one.hibernate_at_cron === other.hibernate_at_cron && one.wake_at_cron === other.wake_at_cron && one.is_enabled === other.is_enabled;

const listed = ({ schedules }: HibernationView) =>
  schedules.map((each) => `from ${each.hibernate_at_cron} to ${each.wake_at_cron}${each.is_enabled === false ? ", not followed" : ""}`).join("; ") || "none";

function Schedules({ found, path, mayChange, done }: { found: HibernationView; path: string; mayChange: boolean; done: () => void }) {
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
          <Button size="xs" variant="outline" colorPalette="red" aria-label={`Remove schedule ${each.at + 1}`} onClick={() => setRemoved(found.schedules[each.at])}>
            Remove
          </Button>
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

function RemoveSchedule({ found, removed, path, onClose, done }: Change & { found: HibernationView; removed: SleepScheduleView }) {
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
      <Reason reason={reason} set={setReason} />
      {newer ? <Conflict of="hibernation" what="The schedules are" now={listed(newer)} submit="Remove" /> : undefined}
    </FormDialog>
  );
}

function AddSchedule({ found, path, onClose, done }: Change & { found: HibernationView }) {
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
      <Reason reason={reason} set={setReason} />
      {newer ? <Conflict of="hibernation" what="The schedules are" now={listed(newer)} submit="Add" /> : undefined}
    </FormDialog>
  );
}

const moments = (text: string) => (text ? new Date(text).toISOString() : null);

function AskHibernate({ path, onClose, done }: Change) {
  const say = useSay();
  const [until, setUntil] = useState("");
  const [minutes, setMinutes] = useState("");
  const [reason, setReason] = useState("");
  return (
    <FormDialog
      title="Hibernate"
      open
      onClose={onClose}
      submit="Hibernate"
      onSubmit={async () => {
        const body: Hibernate = { until: moments(until), deadline_seconds: minutes ? Number(minutes) * 60 : null };
        await ofPlatform.call<OperationView>(`${path}/hibernate`, { method: "POST", body, query: { reason: reason.trim() } });
        say("The Deployment hibernates when its tasks have ended");
        done();
      }}
    >
      <Text>No new task begins. When the running ones have ended, its processes stop; its data, addresses and tokens are kept.</Text>
      <Field.Root>
        <Field.Label>Until</Field.Label>
        <Input type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
        <Field.HelperText>Empty: until somebody wakes it up</Field.HelperText>
      </Field.Root>
      <Field.Root>
        <Field.Label>Minutes to wait for running tasks</Field.Label>
        <Input type="number" min={0} max={10080} value={minutes} onChange={(event) => setMinutes(event.target.value)} />
        <Field.HelperText>Empty: as long as they take. Later they go on at their sites.</Field.HelperText>
      </Field.Root>
      <Reason reason={reason} set={setReason} />
    </FormDialog>
  );
}

function AskWakeUp({ path, onClose, done }: Change) {
  const say = useSay();
  const [until, setUntil] = useState("");
  const [reason, setReason] = useState("");
  return (
    <FormDialog
      title="Wake up"
      open
      onClose={onClose}
      submit="Wake up"
      onSubmit={async () => {
        const body: WakeUp = { until: moments(until) };
        await ofPlatform.call<OperationView>(`${path}/wake`, { method: "POST", body, query: { reason: reason.trim() } });
        say("The Deployment wakes up");
        done();
      }}
    >
      <Alert.Root status="info">
        <Alert.Indicator />
        <Alert.Title>Runs that it missed are made up for as the catchup of each Dag says.</Alert.Title>
      </Alert.Root>
      <Field.Root>
        <Field.Label>Follow no schedule until</Field.Label>
        <Input type="datetime-local" value={until} onChange={(event) => setUntil(event.target.value)} />
        <Field.HelperText>Empty: until the next moment of a schedule</Field.HelperText>
      </Field.Root>
      <Reason reason={reason} set={setReason} />
    </FormDialog>
  );
}
