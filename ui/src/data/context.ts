import { createContext, useContext } from "react";

import { mayHere, type Me, type Part, type Permission } from "./permissions";

export type Here = {
  me: Me;
  say: (news: string) => void; // shown for a moment, and read out by screen readers
};

export const HereContext = createContext<Here | undefined>(undefined);

export function useHere(): Here & { may: (what: Permission | Part) => boolean } {
  const here = useContext(HereContext);
  if (here === undefined) {
    throw new Error("outside of the page");
  }
  return { ...here, may: (what) => mayHere(here.me, what) };
}
