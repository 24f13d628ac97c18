import { Box, HStack } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

export type Tab = { name: string; to: string; current: boolean; shown?: boolean };

/** On a narrow screen the row scrolls: the tab that one is on is never outside of it. */
const intoView = (link: HTMLElement | null) => link?.scrollIntoView({ block: "nearest", inline: "nearest" });

/** Tabs that are pages of their own. */
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
