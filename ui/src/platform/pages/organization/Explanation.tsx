import { Alert, Box, Text } from "@chakra-ui/react";

import { usePolled } from "../../../data/usePolled";
import { DataTable } from "../../../parts/DataTable";
import { Shown } from "../../../parts/states";
import type { AccessExplanation } from "../../../../generated/platform";
import { PermissionList } from "./PermissionList";
import { SubjectLink } from "./roleBindings";
import { roleTitle } from "./roles";

/** What a user may do on a Deployment, or on the organization, and why: each role with the team that it comes through. */
export function Explanation({ user, deployment }: { user: string; deployment?: string }) {
  const query = deployment ? `?deployment=${deployment}` : "";
  const polled = usePolled<AccessExplanation>(`/access/${user}${query}`, 30);
  return (
    <Shown polled={polled} what="access">
      {(explained) => (
        <Box>
          {explained.disabled ? (
            <Alert.Root status="warning" mb={3}>
              <Alert.Indicator />
              <Alert.Title>{explained.user} is disabled: none of these roles holds at the moment.</Alert.Title>
            </Alert.Root>
          ) : undefined}
          {explained.paths.length === 0 ? (
            <Text color="fg.muted">
              {explained.user} has no role on {explained.target}.
            </Text>
          ) : (
            <DataTable
              label={`Why ${explained.user} has access to ${explained.target}`}
              columns={[
                { name: "Role", cell: (path) => <Text whiteSpace="nowrap">{roleTitle(path.role)}</Text> },
                { name: "On", cell: (path) => path.scope },
                { name: "Through", cell: (path) => (path.team ? <>team <SubjectLink kind="team" name={path.team} /></> : "the user") },
                { name: "Airflow", cell: (path) => path.airflow_role ?? "–" },
              ]}
              rows={explained.paths}
              id={(path) => `${path.role} ${path.scope} ${path.team}`}
            />
          )}
          {explained.permissions.length > 0 ? (
            <Box mt={3}>
              {explained.airflow_role ? (
                <Text mb={1}>
                  In Airflow: <b>{explained.airflow_role}</b>
                </Text>
              ) : undefined}
              <PermissionList permissions={explained.permissions} />
            </Box>
          ) : undefined}
        </Box>
      )}
    </Shown>
  );
}
