import { Alert } from "@chakra-ui/react";

import type { MaintenanceView } from "../../../../generated/platform";
import { opens } from "./maintenance";

/** Outside of the maintenance windows: when the next one opens, and that it begins even so. Nothing while one is open. */
export function BeginsNow({ found }: { found: MaintenanceView }) {
  return found.is_open ? undefined : (
    <Alert.Root status="warning">
      <Alert.Indicator />
      <Alert.Title>{opens(found)} Now it begins outside of the windows.</Alert.Title>
    </Alert.Root>
  );
}
