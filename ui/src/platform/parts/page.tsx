// What every page of the platform begins with, and its parts.
import { Box, Flex, Heading, HStack, Text } from "@chakra-ui/react";
import { useEffect, type ReactNode } from "react";

import { Breadcrumbs } from "../../parts/Breadcrumbs";

/** Title of the page and of the browser's tab, what leads there, and what can be done. */
export function PageTop(props: {
  title: string;
  above?: { name: string; to: string }[];
  mark?: ReactNode;
  help?: ReactNode;
  children?: ReactNode;
}) {
  useTitle(props.title);
  return (
    <Box mb={4}>
      {props.above ? <Breadcrumbs above={props.above} name={props.title} /> : undefined}
      <Flex justify="space-between" align="center" gap={3} wrap="wrap">
        <HStack gap={3} wrap="wrap">
          <Heading as="h1" size="xl" wordBreak="break-word">
            {props.title}
          </Heading>
          {props.mark}
        </HStack>
        <HStack gap={2} wrap="wrap">
          {props.children}
        </HStack>
      </Flex>
      {props.help ? (
        <Text color="fg.muted" mt={1} maxW="52em">
          {props.help}
        </Text>
      ) : undefined}
    </Box>
  );
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} - Tradewind`;
  }, [title]);
}

/** A part of a page, with a heading and a frame. */
export function Panel({ title, children, action }: { title: string; children: ReactNode; action?: ReactNode }) {
  return (
    <Box as="section" aria-label={title} borderWidth={1} borderRadius="md" p={4}>
      <Flex justify="space-between" align="center" mb={3} gap={3}>
        <Heading as="h2" size="sm">
          {title}
        </Heading>
        {action}
      </Flex>
      {children}
    </Box>
  );
}
