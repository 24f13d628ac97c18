import { Flex, Input } from "@chakra-ui/react";

import { useFilters } from "../../data/useFilters";
import { FilterSelect } from "../../parts/FilterSelect";
import { PART } from "../../parts/Paging";
import { EventTable } from "./EventTable";

const GROUPS = [
  ["agent", "Agents"],
  ["session", "Sessions"],
  ["token", "Tokens"],
  ["attempt", "Attempts"],
  ["bundle", "Bundles"],
] as const;

/** Who changed what, when and why. The filters are in the address, so that a view can be passed on. */
export function EventsPage() {
  const { of, set } = useFilters();
  const query = new URLSearchParams({ limit: String(PART) });
  for (const name of ["action", "actor", "subject", "offset"]) {
    if (of(name)) {
      query.set(name, of(name));
    }
  }
  return (
    <>
      <Flex gap={3} mb={4} wrap="wrap">
        <FilterSelect label="Category" all="All events" options={GROUPS} value={of("action")} set={(value) => set("action", value)} />
        <Input
          size="sm"
          maxW="14em"
          aria-label="Actor"
          placeholder="Actor: ada, agent:eu-1"
          value={of("actor")}
          onChange={(event) => set("actor", event.target.value)}
        />
        <Input
          size="sm"
          maxW="16em"
          aria-label="Subject"
          placeholder="Subject: agent:eu-1, token:ci"
          value={of("subject")}
          onChange={(event) => set("subject", event.target.value)}
        />
      </Flex>
      <EventTable query={query.toString()} seconds={3} turn={(offset) => set("offset", offset ? String(offset) : "")} />
    </>
  );
}
