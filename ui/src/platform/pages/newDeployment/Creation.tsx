import { Alert, Box, Button, HStack, Text, VStack } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { usePolled } from "../../../data/usePolled";
import { Loading, Problem } from "../../../parts/states";
import type { DeploymentView, OperationView } from "../../../../generated/platform";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { Steps } from "../../parts/Steps";

/** The steps of the creation, and what to do when it has ended. */
export function Creation({ deployment }: { deployment: DeploymentView }) {
  const polled = usePolled<OperationView>(deployment.operation === null ? undefined : `/operations/${deployment.operation}`, 1);
  const operation = polled.data;
  const to = `/deployments/${deployment.name}`;
  return (
    <VStack align="stretch" gap={4} maxW="40em">
      <Panel title={`Creating ${deployment.name}`} action={operation ? <OperationBadge state={operation.state} /> : undefined}>
        {operation ? <Steps operation={operation} /> : polled.error ? <Problem error={polled.error} retry={polled.refresh} /> : <Loading what="steps" />}
      </Panel>
      <Box aria-live="polite">
        {operation?.state === "succeeded" ? (
          <Alert.Root status="success">
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>{deployment.name} runs</Alert.Title>
              <Alert.Description>Connect an agent next: it runs the tasks at your site.</Alert.Description>
            </Alert.Content>
          </Alert.Root>
        ) : operation?.state === "failed" ? (
          <Alert.Root status="error">
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>The Deployment could not be created</Alert.Title>
              <Alert.Description>{operation.error} Open its page to try again from the step that failed.</Alert.Description>
            </Alert.Content>
          </Alert.Root>
        ) : (
          <Text color="fg.muted">You can leave this page. The platform goes on.</Text>
        )}
      </Box>
      <HStack gap={3}>
        <Button asChild variant={operation?.state === "succeeded" ? "outline" : "solid"} colorPalette={operation?.state === "succeeded" ? "gray" : "brand"}>
          <RouterLink to={to}>Open {deployment.name}</RouterLink>
        </Button>
        {operation?.state === "succeeded" ? (
          <Button asChild colorPalette="brand">
            <RouterLink to={`${to}/remote-agents/register`}>Register an agent</RouterLink>
          </Button>
        ) : undefined}
      </HStack>
    </VStack>
  );
}
