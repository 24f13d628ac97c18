import { Button } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { count } from "../../../data/words";
import { referenceOf } from "../../data/platform";
import type { OfMaintenance } from "./maintenance";
import type { Work } from "./RecurringForm";
import { RecurringPanel } from "./RecurringPanel";

const WORK: Work = {
  of: "backups",
  name: "backups",
  keeps: "Days to keep the backup",
  usual: { cron: "0 1 * * *", keep_days: 14 },
};

/** Backups that are made by themselves. */
export function BackupsPanel(props: OfMaintenance) {
  return (
    <RecurringPanel
      {...props}
      title="Backups"
      help="Copies the database, encrypted, while Airflow goes on. Copies that are past their days are deleted with the next one. An upgrade makes one besides."
      work={WORK}
      kept={({ keep_days }) => `each is kept for ${count(keep_days, "day")}`}
      act={
        <Button asChild size="sm" variant="outline">
          <RouterLink to={`/deployments/${referenceOf(props.deployment)}/backups`}>All backups</RouterLink>
        </Button>
      }
    />
  );
}
