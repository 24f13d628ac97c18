import { Box, Center, Heading, VStack } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { LineIcon } from "./icons";

/** The frame of the pages that need no session. */
export function Frame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Center as="main" minH="100%" p={4} bg="bg.muted">
      <VStack align="stretch" gap={5} w="100%" maxW="26em" bg="bg.panel" borderWidth={1} borderRadius="lg" p={{ base: 5, md: 8 }} shadow="sm">
        <Box color="brand.fg">
          <LineIcon name="mark" size="lg" />
        </Box>
        <Heading as="h1" size="lg">
          {title}
        </Heading>
        {children}
      </VStack>
    </Center>
  );
}
