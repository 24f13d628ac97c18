import { Box, Heading } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** A numbered part of the page. */
export function Step({ number, title, children }: { number: number; title: string; children: ReactNode }) {
  return (
    <Box as="section" aria-label={title}>
      <Heading as="h2" size="md" mb={3}>
        {number}. {title}
      </Heading>
      {children}
    </Box>
  );
}
