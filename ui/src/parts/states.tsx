// Loading, nothing there, not permitted, an error: what a page shows when it has no data to show.
import { Alert, Box, Button, Center, Heading, Link, Spinner, Text, VStack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Refused } from "../data/api";
import { useSource } from "../data/source";
import type { Polled } from "../data/usePolled";
import { duration } from "../data/words";

export function Loading({ what }: { what: string }) {
  return (
    <Center py={16} gap={3} role="status">
      <Spinner size="sm" />
      <Text color="fg.muted">Loading {what} …</Text>
    </Center>
  );
}

export function Nothing({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Center py={16}>
      <VStack gap={3} maxW="lg" textAlign="center">
        <Heading as="h2" size="md">
          {title}
        </Heading>
        {children ? <Box color="fg.muted">{children}</Box> : undefined}
      </VStack>
    </Center>
  );
}

/** For an address that leads to no page. */
export function PageNotFound() {
  return <Nothing title="Page not found">Choose another page from the navigation.</Nothing>;
}

const sentence = (text: string) =>
  text && `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/u.test(text) ? "" : "."}`;

export function Problem({ error, retry }: { error: Refused; retry?: () => void }) {
  const source = useSource();
  const signIn = error.status === 401;
  const title = signIn ? "You are signed out" : error.status === 403 ? "Not permitted" : "The request failed";
  return (
    <Alert.Root status={error.status === 403 ? "warning" : "error"} alignItems="flex-start" my={2}>
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{title}</Alert.Title>
        <Alert.Description>
          <Text>
            {sentence(error.message)} {sentence(error.remedy)}
          </Text>
        </Alert.Description>
      </Alert.Content>
      {signIn ? (
        <Button asChild size="sm" variant="outline">
          <Link href={source.signIn()}>Sign in</Link>
        </Button>
      ) : retry ? (
        <Button size="sm" variant="outline" onClick={retry}>
          Try again
        </Button>
      ) : undefined}
    </Alert.Root>
  );
}

/** What `polled` has, or why there is nothing yet. Data that cannot be refreshed stays, with a note of its age. */
export function Shown<Answer>({
  polled,
  what,
  children,
}: {
  polled: Polled<Answer>;
  what: string;
  children: (data: Answer) => ReactNode;
}) {
  if (polled.data === undefined) {
    return polled.error ? <Problem error={polled.error} retry={polled.refresh} /> : <Loading what={what} />;
  }
  return (
    <>
      {polled.error?.status === 401 ? (
        <Problem error={polled.error} />
      ) : polled.error ? (
        <Alert.Root status="warning" mb={3}>
          <Alert.Indicator />
          <Alert.Title>
            {sentence(polled.error.message)} The page shows data from {duration((Date.now() - polled.at) / 1000)} ago and asks again by itself.
          </Alert.Title>
        </Alert.Root>
      ) : undefined}
      {children(polled.data)}
    </>
  );
}
