import { Button } from "@chakra-ui/react";
import type { ReactNode } from "react";

type Props = {
  label?: string; // names the row too, for screen readers: many rows have the same button
  dangerous?: boolean;
  disabled?: boolean;
  size?: "xs" | "sm";
  onClick: () => void;
  children: ReactNode;
};

/** What can be done to a row of a table, or to the part of a page that it stands in. */
export function RowButton({ label, dangerous = false, disabled = false, size = "xs", onClick, children }: Props) {
  return (
    <Button
      size={size}
      variant="outline"
      disabled={disabled}
      {...(dangerous ? { colorPalette: "red" } : {})}
      {...(label === undefined ? {} : { "aria-label": label })}
      onClick={onClick}
    >
      {children}
    </Button>
  );
}
