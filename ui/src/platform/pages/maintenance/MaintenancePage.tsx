import { Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../../data/usePolled";
import { Shown } from "../../../parts/states";
import type { MaintenanceView } from "../../../../generated/platform";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { referenceOf } from "../../data/platform";
import { BackupsPanel } from "./BackupsPanel";
import { CleanUpPanel } from "./CleanUpPanel";
import { FollowPanel } from "./FollowPanel";
import { WindowsPanel } from "./WindowsPanel";

/** When the platform works on a Deployment by itself: windows, clean-ups and backups. */
export function MaintenancePage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.upgrade", { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}`;
  const polled = usePolled<MaintenanceView>(`${path}/maintenance`, 5);
  const [saved, setSaved] = useState<MaintenanceView>(); // newer than what was asked for last, for a moment
  const refresh = (answer?: MaintenanceView) => {
    if (answer !== undefined) {
      setSaved(answer);
    }
    polled.refresh();
    done();
  };
  return (
    <Shown polled={polled} what="maintenance">
      {(asked) => {
        const found = saved !== undefined && saved.revision > asked.revision ? saved : asked;
        const shared = { deployment, found, path, mayChange, done: refresh };
        return (
          <VStack align="stretch" gap={4} maxW="52em">
            <WindowsPanel {...shared} />
            <FollowPanel {...shared} />
            <CleanUpPanel {...shared} />
            <BackupsPanel {...shared} />
            {mayChange ? undefined : <Text color="fg.muted">Your role cannot change the maintenance. Ask an owner of the workspace for the role of an operator.</Text>}
          </VStack>
        );
      }}
    </Shown>
  );
}
