import { Button, Text } from "@chakra-ui/react";
import { useState } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { MaintenanceView } from "../../../../generated/platform";
import { errorOf } from "../../data/fieldErrors";
import { Conflict } from "../../parts/Conflict";
import { Panel } from "../../parts/page";
import { useChanging } from "./changes";
import type { OfMaintenance } from "./maintenance";

/** Whether upgrades begin by themselves. */
export function FollowPanel({ deployment, found, path, mayChange, done }: OfMaintenance) {
  const [changing, setChanging] = useState(false);
  return (
    <Panel
      title="Upgrades"
      action={
        mayChange ? (
          <Button size="sm" variant="outline" onClick={() => setChanging(true)}>
            Follow a minor
          </Button>
        ) : undefined
      }
    >
      <Text>
        {found.follows
          ? `Upgraded to the newest stable release of Airflow ${found.follows}, while a maintenance window is open.`
          : "None begins by itself."}
      </Text>
      {found.followed ? (
        <Text color="fg.muted">{`Airflow ${found.followed} was begun last. A version that failed is not begun again by itself.`}</Text>
      ) : undefined}
      {changing ? <Follow version={deployment.version} found={found} path={path} onClose={() => setChanging(false)} done={done} /> : undefined}
    </Panel>
  );
}

type Asked = { version: string; found: MaintenanceView; path: string; onClose: () => void; done: (saved: MaintenanceView) => void };

function Follow({ version, found, path, onClose, done }: Asked) {
  const say = useSay();
  const [minor, setMinor] = useState(found.follows || version.split(".").slice(0, 2).join("."));
  const [reason, setReason] = useState("");
  const { error, newer, save } = useChanging(path, found, ["follows"]);
  const send = async () => {
    const follows = minor.trim() || null;
    const saved = await save(() => ({ follows }), reason);
    if (saved) {
      say(follows === null ? "Upgrades begin on request only" : `The Deployment follows Airflow ${follows}`);
      done(saved);
    }
    return saved !== undefined;
  };
  return (
    <FormDialog title="Follow a minor of Airflow" open onClose={onClose} submit="Save" onSubmit={send}>
      <TextField
        label="Minor"
        placeholder="3.3"
        help="The Deployment is upgraded to its newest stable release, after a backup. Leave empty to upgrade on request only."
        problem={errorOf(error, "follows")}
        value={minor}
        set={setMinor}
      />
      <ReasonField reason={reason} set={setReason} />
      {newer ? <Conflict of="maintenance" what="It follows" now={newer.follows || "none"} submit="Save" /> : undefined}
    </FormDialog>
  );
}
