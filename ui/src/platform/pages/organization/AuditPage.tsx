import { Button, Flex, Input } from "@chakra-ui/react";
import { useState } from "react";

import { useFilters } from "../../../data/useFilters";
import { FilterSelect } from "../../../parts/FilterSelect";
import { PART } from "../../../parts/Paging";
import { PageTop } from "../../parts/page";
import { AuditEvents, FILTERS } from "./AuditEvents";

const PERIODS: [seconds: string, words: string][] = [
  ["3600", "Last hour"],
  ["86400", "Last 24 hours"],
  ["604800", "Last 7 days"],
  ["2592000", "Last 30 days"],
];

/** Who changed what, when, from where and why; refused requests, too. The filters are in the address. */
export function AuditPage() {
  const [now] = useState(() => Date.now()); // the page's own moment: a query that changes each second is never answered twice
  const { of, set, clear, any } = useFilters();
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    if (of(name)) {
      query.set(name, of(name));
    }
  }
  if (of("period")) {
    query.set("since", new Date(now - Number(of("period")) * 1000).toISOString());
  }
  const page = new URLSearchParams(query);
  page.set("limit", String(PART));
  page.set("offset", of("offset") || "0");
  return (
    <>
      <PageTop title="Audit" help="One event for each change, also for one that was refused. Values of secrets are never in it.">
        <Button asChild size="sm" variant="outline">
          <a href={`/v1/audit/export?${query.toString()}`} download="audit.ndjson">
            Export NDJSON
          </a>
        </Button>
      </PageTop>
      <Flex gap={3} mb={4} wrap="wrap">
        <FilterSelect label="Period" all="Any time" options={PERIODS} value={of("period")} set={(value) => set("period", value)} />
        <Filter name="Actor" example="ada, token:ci" value={of("actor")} onValue={(value) => set("actor", value)} />
        <Filter name="Action" example="deployment.create" value={of("action")} onValue={(value) => set("action", value)} />
        <Filter name="Target" example="deployment:sales" value={of("target")} onValue={(value) => set("target", value)} />
        {any ? (
          <Button size="sm" variant="ghost" onClick={clear}>
            Clear filters
          </Button>
        ) : undefined}
      </Flex>
      <AuditEvents
        query={page.toString()}
        turn={(offset) => set("offset", offset ? String(offset) : "")}
        filter={(name, value) => set(name, value)}
      />
    </>
  );
}

/** A filter that is applied when it is whole: the API compares whole values. */
function Filter(props: { name: string; example: string; value: string; onValue: (value: string) => void }) {
  const [typed, setTyped] = useState<string>();
  const apply = () => {
    if (typed !== undefined) {
      props.onValue(typed.trim());
      setTyped(undefined);
    }
  };
  return (
    <Input
      size="sm"
      maxW="16em"
      aria-label={props.name}
      placeholder={`${props.name}: ${props.example}`}
      value={typed ?? props.value}
      onChange={(event) => setTyped(event.target.value)}
      onBlur={apply}
      onKeyDown={(event) => {
        if (event.key === "Enter") {
          apply();
        }
      }}
    />
  );
}
