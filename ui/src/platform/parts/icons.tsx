// Line icons on a grid of 24, drawn for these pages.
import { Icon } from "@chakra-ui/react";

const PATHS = {
  home: "M4 11 12 4l8 7M6 9.5V20h12V9.5M10 20v-6h4v6",
  deployments: "M4 5h16v5H4zM4 14h16v5H4zM7.5 7.5h.01M7.5 16.5h.01M11 7.5h5M11 16.5h5",
  operations: "M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4M12 8v4.5l3 2",
  organization: "M5 20V5h8v15M13 10h6v10M3 20h18M8 9h2M8 13h2M16 14h.01M16 17h.01",
  me: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4.5 20c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4",
  moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5",
  external: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
  signOut: "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
  mark: "M3 18c5 1 13 1 18 0M12 3v12M12 4c5 3 6 7 6 11h-6M12 7c-3 2-5 5-5 8h5",
};

export type IconName = keyof typeof PATHS;

export function LineIcon({ name, size = "md" }: { name: IconName; size?: "sm" | "md" | "lg" }) {
  return (
    <Icon size={size} aria-hidden>
      <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth={1.7} strokeLinecap="round" strokeLinejoin="round">
        <path d={PATHS[name]} />
      </svg>
    </Icon>
  );
}
