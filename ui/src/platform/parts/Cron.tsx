import { Box } from "@chakra-ui/react";

import { cronInWords } from "../data/cron";

/** A cron expression, in words where it has short ones. */
export function Cron({ expression }: { expression: string }) {
  const words = cronInWords(expression);
  return (
    <>
      {words ? `${words} ` : ""}
      <Box as="code" whiteSpace="nowrap" fontSize="xs" color={words ? "fg.muted" : "fg"}>
        {expression}
      </Box>
    </>
  );
}
