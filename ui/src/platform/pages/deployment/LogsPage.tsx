import { Button, Code, Stack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../../data/usePolled";
import { SelectField } from "../../../parts/fields";
import { When } from "../../../parts/marks";
import { Shown } from "../../../parts/states";
import type { ComponentLogView, DeploymentView } from "../../../../generated/platform";
import { referenceOf } from "../../data/platform";
import { Panel } from "../../parts/page";

const COMPONENTS = [
  ["api-server", "API server"],
  ["scheduler", "Scheduler"],
  ["migrate", "Database migration"],
] as const;

const LENGTHS = [
  ["200", "200"],
  ["2000", "2,000"],
] as const;

/** The last lines that a component of the Deployment has written. */
export function LogsPage({ deployment }: { deployment: DeploymentView }) {
  const [component, setComponent] = useState<string>("api-server");
  const [lines, setLines] = useState<string>("200");
  const polled = usePolled<ComponentLogView>(`/deployments/${referenceOf(deployment)}/logs/${component}?lines=${lines}`, 10);
  return (
    <Panel title="Logs">
      <Stack direction={{ base: "column", sm: "row" }} align={{ sm: "flex-end" }} gap={3} mb={4} maxW="40em">
        <SelectField label="Component" value={component} set={setComponent} options={[...COMPONENTS]} />
        <SelectField label="Last lines" value={lines} set={setLines} options={[...LENGTHS]} />
        <Button variant="outline" onClick={polled.refresh}>
          Refresh
        </Button>
      </Stack>
      <Shown polled={polled} what="the log">
        {(log) => (
          <>
            <Text color="fg.muted" fontSize="sm" mb={2} overflowWrap="anywhere">
              {log.source}, read <When at={new Date(polled.at).toISOString()} />
            </Text>
            <Code
              as="pre"
              display="block"
              p={3}
              fontSize="xs"
              whiteSpace="pre-wrap"
              overflowWrap="anywhere"
              maxH="36em"
              overflowY="auto"
              tabIndex={0}
              role="region"
              aria-label={`Log of ${component}`}
            >
              {log.lines.join("\n")}
            </Code>
          </>
        )}
      </Shown>
    </Panel>
  );
}
