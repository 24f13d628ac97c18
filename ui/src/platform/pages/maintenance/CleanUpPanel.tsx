import { Alert, Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { count } from "../../../data/words";
import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { Tags } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import type { CleanUp, OperationView } from "../../../../generated/platform";
import { ofPlatform } from "../../data/platform";
import { Fact } from "../../parts/Fact";
import { BeginsNow } from "./BeginsNow";
import { isFree, type OfMaintenance } from "./maintenance";
import type { Work } from "./RecurringForm";
import { RecurringPanel } from "./RecurringPanel";

const WORK: Work = {
  of: "clean_up",
  name: "clean-ups",
  keeps: "Days to keep rows",
  usual: { cron: "0 3 * * 0", keep_days: 90 },
};

/** Old rows leave the metadata database of its Airflow. */
export function CleanUpPanel(props: OfMaintenance) {
  const { deployment, found, mayChange } = props;
  const [asking, setAsking] = useState(false);
  const last = found.clean_up.last;
  return (
    <RecurringPanel
      {...props}
      title="Clean-up of the metadata database"
      help="Deletes old rows of runs, task instances and logs while Airflow goes on. Runs that have not ended are kept whole. What is deleted is not archived."
      work={WORK}
      kept={({ keep_days }) => `rows are kept for ${count(keep_days, "day")}`}
      act={
        mayChange ? (
          <Button size="sm" variant="outline" disabled={!isFree(deployment)} onClick={() => setAsking(true)}>
            Clean up now
          </Button>
        ) : undefined
      }
    >
      {last && last.rows !== null ? (
        <Fact name="Rows deleted">
          {last.rows}
          {last.rows > 0 ? (
            <Text as="span" color="fg.muted" fontSize="xs">
              {` (${Object.entries(last.rows_by_table)
                .map(([table, rows]) => `${table} ${rows}`)
                .join(", ")})`}
            </Text>
          ) : undefined}
        </Fact>
      ) : undefined}
      {last && Object.keys(last.skipped).length > 0 ? (
        <Fact name="Tables left alone">
          {Object.entries(last.skipped).map(([table, why]) => (
            <Text key={table}>
              <code>{table}</code>: {why}
            </Text>
          ))}
        </Fact>
      ) : undefined}
      {last && last.left_out.length > 0 ? (
        <Fact name="Dags left out">
          <Text mb={1}>An old run of each has not ended.</Text>
          <Tags names={last.left_out} />
        </Fact>
      ) : undefined}
      {asking ? <AskCleanUp {...props} onClose={() => setAsking(false)} /> : undefined}
    </RecurringPanel>
  );
}

function AskCleanUp({ deployment, found, path, onClose, done }: OfMaintenance & { onClose: () => void }) {
  const say = useSay();
  const [days, setDays] = useState(String(found.clean_up.keep_days || WORK.usual.keep_days));
  const [reason, setReason] = useState("");
  const send = async () => {
    const body: CleanUp = { keep_days: Number(days), now: !found.is_open };
    await ofPlatform.call<OperationView>(`${path}/clean-up`, { method: "POST", body, query: { reason: reason.trim() } });
    say("The clean-up has begun");
    done();
  };
  return (
    <FormDialog title={`Clean up the database of ${deployment.name}`} open onClose={onClose} submit={found.is_open ? "Clean up" : "Clean up now"} dangerous onSubmit={send}>
      <TextField label={WORK.keeps} required type="number" min={1} max={3650} value={days} set={setDays} />
      <Alert.Root status="warning">
        <Alert.Indicator />
        <Alert.Title>Older rows are deleted, and nothing but a backup brings them back.</Alert.Title>
      </Alert.Root>
      <BeginsNow found={found} />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
