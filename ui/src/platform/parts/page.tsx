// What every page of the platform begins with, and the rows of tabs.
import { Box, Breadcrumb, Flex, Heading, HStack, Text } from "@chakra-ui/react";
import { Fragment, useEffect, type ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

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
      {props.above ? (
        <Breadcrumb.Root size="sm" mb={2}>
          <Breadcrumb.List>
            {props.above.map((each) => (
              <Fragment key={each.to}>
                <Breadcrumb.Item>
                  <Breadcrumb.Link asChild>
                    <RouterLink to={each.to}>{each.name}</RouterLink>
                  </Breadcrumb.Link>
                </Breadcrumb.Item>
                <Breadcrumb.Separator />
              </Fragment>
            ))}
            <Breadcrumb.Item>
              <Breadcrumb.CurrentLink>{props.title}</Breadcrumb.CurrentLink>
            </Breadcrumb.Item>
          </Breadcrumb.List>
        </Breadcrumb.Root>
      ) : undefined}
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

export type Tab = { name: string; to: string; current: boolean; shown?: boolean };

/** On a narrow screen the row scrolls: the tab that one is on is never outside of it. */
const intoView = (link: HTMLElement | null) => link?.scrollIntoView({ block: "nearest", inline: "nearest" });

export function TabRow({ label, tabs, small = false }: { label: string; tabs: Tab[]; small?: boolean }) {
  return (
    <HStack as="nav" aria-label={label} gap={1} mb={4} borderBottomWidth={1} overflowX="auto">
      {tabs
        .filter((tab) => tab.shown !== false)
        .map((tab) => (
          <Box
            key={tab.to}
            asChild
            px={3}
            py={small ? 1.5 : 2}
            flexShrink={0}
            fontSize="sm"
            whiteSpace="nowrap"
            borderBottomWidth={2}
            fontWeight={tab.current ? "semibold" : "normal"}
            color={tab.current ? "fg" : "fg.muted"}
            borderColor={tab.current ? "brand.solid" : "transparent"}
            _hover={{ color: "fg" }}
          >
            <RouterLink to={tab.to} ref={tab.current ? intoView : undefined} {...(tab.current ? { "aria-current": "page" as const } : {})}>
              {tab.name}
            </RouterLink>
          </Box>
        ))}
    </HStack>
  );
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
