import { Alert, Button } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { Copyable } from "./Copyable";

/** A value that no page and no API shows again. */
export function ShownOnce({
  title,
  what,
  value,
  onClose,
  children,
}: {
  title: string;
  what: string;
  value: string;
  onClose?: () => void; // none: it stays as long as the page
  children?: ReactNode;
}) {
  return (
    <Alert.Root status="success" mb={4} alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content minW={0}>
        <Alert.Title>{title} It is shown only once.</Alert.Title>
        <Alert.Description w="100%" mt={2}>
          <Copyable what={what} text={value} />
          {children}
        </Alert.Description>
      </Alert.Content>
      {onClose ? (
        <Button size="sm" variant="outline" onClick={onClose}>
          Done
        </Button>
      ) : undefined}
    </Alert.Root>
  );
}
