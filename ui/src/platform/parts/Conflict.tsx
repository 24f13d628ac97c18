import { Alert, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** Another person saved meanwhile: what it is now, and how the own change is made nevertheless. */
export function Conflict({ of, what, now, submit }: { of: string; what: string; now: ReactNode; submit: string }) {
  return (
    <Alert.Root status="warning" alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>The {of} of this Deployment was changed since you opened this form</Alert.Title>
        <Alert.Description>
          <Text>
            {what} now: {now}.
          </Text>
          <Text>{submit} makes your change to that. Cancel keeps it as it is.</Text>
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}
