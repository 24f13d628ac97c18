import { DataList } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** Names and values, one below the other. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <DataList.Root orientation="horizontal" size="sm" gap={2}>
      {facts.map(([name, value]) => (
        <DataList.Item key={name} alignItems="flex-start">
          <DataList.ItemLabel minW="0" w={{ base: "9em", md: "13em" }} flexShrink={0}>{name}</DataList.ItemLabel>
          <DataList.ItemValue display="block" minW={0} overflowWrap="anywhere">
            {value}
          </DataList.ItemValue>
        </DataList.Item>
      ))}
    </DataList.Root>
  );
}
