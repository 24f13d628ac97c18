// A Deployment is put to sleep or woken up now, whatever its schedules say.
import { Alert, Text } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { Hibernate, OperationView, WakeUp } from "../../../../generated/platform";
import { ofPlatform } from "../../data/platform";

type Change = { path: string; onClose: () => void; done: () => void };

const moments = (text: string) => (text ? new Date(text).toISOString() : null);

export function AskHibernate({ path, onClose, done }: Change) {
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
      <Text>No new task begins. When the running tasks have ended, the processes stop. Data, addresses and tokens are kept.</Text>
      <TextField
        label="Until"
        type="datetime-local"
        help="Leave empty to hibernate until it is woken up"
        value={until}
        set={setUntil}
      />
      <TextField
        label="Minutes to wait for running tasks"
        type="number"
        min={0}
        max={10_080}
        help="Leave empty to wait as long as they take. Tasks that take longer go on at their sites."
        value={minutes}
        set={setMinutes}
      />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}

export function AskWakeUp({ path, onClose, done }: Change) {
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
        <Alert.Title>Missed runs follow the catchup setting of each Dag.</Alert.Title>
      </Alert.Root>
      <TextField
        label="Follow no schedule until"
        type="datetime-local"
        help="Leave empty to follow the schedules from their next time"
        value={until}
        set={setUntil}
      />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
