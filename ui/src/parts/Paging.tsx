import { Button, HStack, Text } from "@chakra-ui/react";

import type { Page } from "../data/types/page";

export const PART = 50; // events that are asked for at once

/** Shows earlier or later events, and which of all these are. */
export function Paging({ page, turn }: { page: Page<unknown>; turn: (offset: number) => void }) {
  const last = page.offset + page.items.length;
  return (
    <HStack mt={3} gap={3}>
      <Button size="sm" variant="outline" disabled={page.offset === 0} onClick={() => turn(Math.max(page.offset - PART, 0))}>
        Newer
      </Button>
      <Button size="sm" variant="outline" disabled={last >= page.total} onClick={() => turn(last)}>
        Older
      </Button>
      <Text color="fg.muted" fontSize="sm">
        {page.offset + 1} to {last} of {page.total}
      </Text>
    </HStack>
  );
}
