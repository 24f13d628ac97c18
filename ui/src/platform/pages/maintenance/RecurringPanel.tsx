import { Box, Button, DataList, HStack, Link, Text } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";
import { Link as RouterLink } from "react-router-dom";

import { ago, moment } from "../../../data/words";
import { When } from "../../../parts/marks";
import type { LastWork, RecurringWorkView } from "../../../../generated/platform";
import { Cron } from "../../parts/Cron";
import { Fact } from "../../parts/Fact";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import type { OfMaintenance } from "./maintenance";
import { RecurringForm, TurnOff, type Work } from "./RecurringForm";

type Props = Omit<OfMaintenance, "deployment"> & {
  title: string;
  help: string;
  work: Work;
  act: ReactNode; // what does it once, now
  kept: (found: RecurringWorkView) => string;
  children?: ReactNode; // what came of the last one
};

/** Work that recurs: when, what came of the last one, and its schedule. */
export function RecurringPanel({ title, help, work, act, kept, found, path, mayChange, done, children }: Props) {
  const [asking, setAsking] = useState<"set" | "off">();
  const recurring = found[work.of];
  const asked = { work, found, path, done, onClose: () => setAsking(undefined) };
  return (
    <Panel title={title} action={act}>
      <Text color="fg.muted" mb={3}>
        {help}
      </Text>
      <DataList.Root orientation="horizontal" size="sm">
        <Fact name="Schedule">
          {recurring.is_enabled ? (
            <>
              <Cron expression={recurring.cron} />, {kept(recurring)}
            </>
          ) : (
            "None begins by itself."
          )}
        </Fact>
        {recurring.next_at ? <Fact name="Next">{`${ago(recurring.next_at)} (${moment(recurring.next_at)})`}</Fact> : undefined}
        {recurring.last ? (
          <Fact name="Last">
            <Last last={recurring.last} name={work.name} />
          </Fact>
        ) : undefined}
        {children}
      </DataList.Root>
      {mayChange ? (
        <HStack gap={2} mt={4} wrap="wrap">
          <Button size="sm" variant="outline" aria-label={`${recurring.is_enabled ? "Edit" : "Set"} schedule of ${work.name}`} onClick={() => setAsking("set")}>
            {recurring.is_enabled ? "Edit schedule" : "Set schedule"}
          </Button>
          {recurring.is_enabled ? (
            <Button size="sm" variant="outline" aria-label={`Turn off schedule of ${work.name}`} onClick={() => setAsking("off")}>
              Turn off
            </Button>
          ) : undefined}
        </HStack>
      ) : undefined}
      {asking === "set" ? <RecurringForm {...asked} /> : asking === "off" ? <TurnOff {...asked} /> : undefined}
    </Panel>
  );
}

function Last({ last, name }: { last: LastWork; name: string }) {
  return (
    <>
      <HStack gap={2} wrap="wrap">
        <Link asChild>
          <RouterLink to={`/operations/${last.operation}`} aria-label={`${last.state}: the last operation of ${name}`}>
            <OperationBadge state={last.state} />
          </RouterLink>
        </Link>
        <When at={last.ended_at ?? last.created_at} />
      </HStack>
      {last.error ? (
        <Box color="fg.error" fontSize="xs" mt={1} whiteSpace="pre-wrap" overflowWrap="anywhere">
          {last.error}
        </Box>
      ) : undefined}
    </>
  );
}
