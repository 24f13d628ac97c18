import { Box } from "@chakra-ui/react";

import { count } from "../../../data/words";
import { Tags } from "../../../parts/marks";

/** How many permissions, and which ones, on request. */
export function PermissionList({ permissions }: { permissions: string[] }) {
  return (
    <details>
      <summary>{count(permissions.length, "permission")}</summary>
      <Box mt={2}>
        <Tags names={permissions} />
      </Box>
    </details>
  );
}
