import { DataList } from "@chakra-ui/react";
import type { ReactNode } from "react";

/** A name and a value of a list of details. */
export function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel minW="9em">{name}</DataList.ItemLabel>
      <DataList.ItemValue display="block" wordBreak="break-word">
        {children}
      </DataList.ItemValue>
    </DataList.Item>
  );
}
