import { Box, Heading } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** A part of the page, with a heading. */
export function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Box as="section" mb={5}>
      <Heading as="h3" size="sm" mb={2}>
        {title}
      </Heading>
      {children}
    </Box>
  );
}
