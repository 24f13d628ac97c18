import { Button, Flex, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../../data/usePolled";
import { ago, moment, spaced } from "../../../data/words";
import { Shown } from "../../../parts/states";
import type { HibernationView } from "../../../../generated/platform";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { referenceOf } from "../../data/platform";
import { Panel } from "../../parts/page";
import { AskHibernate, AskWakeUp } from "./now";
import { AddSchedule } from "./scheduleForms";
import { Schedules } from "./Schedules";

/** When a Deployment sleeps: by schedules or by request. */
export function HibernationPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.hibernate", { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}`;
  const polled = usePolled<HibernationView>(`${path}/hibernation`, 5);
  const [asking, setAsking] = useState<"hibernate" | "wake" | "add">();
  const refresh = () => {
    polled.refresh();
    done();
  };
  return (
    <Shown polled={polled} what="hibernation">
      {(found) => (
        <VStack align="stretch" gap={4} maxW="52em">
          <Panel title="Now">
            <Flex justify="space-between" align="center" gap={4} wrap="wrap">
              <Text>
                {deployment.phase === "asleep" ? "The Deployment sleeps." : `The Deployment is ${spaced(deployment.phase)}.`} {next(found)} {override(found)}
              </Text>
              {mayChange && deployment.phase === "running" ? (
                <Button size="sm" variant="outline" onClick={() => setAsking("hibernate")}>
                  Hibernate
                </Button>
              ) : mayChange && deployment.phase === "asleep" ? (
                <Button size="sm" colorPalette="brand" onClick={() => setAsking("wake")}>
                  Wake up
                </Button>
              ) : undefined}
            </Flex>
          </Panel>
          <Panel
            title="Schedules"
            action={
              mayChange ? (
                <Button size="sm" variant="outline" onClick={() => setAsking("add")}>
                  Add schedule
                </Button>
              ) : undefined
            }
          >
            <Schedules found={found} path={path} mayChange={mayChange} done={refresh} />
          </Panel>
          {asking === "hibernate" ? <AskHibernate path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
          {asking === "wake" ? <AskWakeUp path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
          {asking === "add" ? <AddSchedule found={found} path={path} onClose={() => setAsking(undefined)} done={refresh} /> : undefined}
        </VStack>
      )}
    </Shown>
  );
}

const next = ({ next_event, next_event_at }: HibernationView) =>
  next_event && next_event_at ? `Next: ${next_event === "wake" ? "wakes up" : "hibernates"} ${ago(next_event_at)} (${moment(next_event_at)}).` : "Nothing is planned.";

const override = ({ override_sleeps, override_until }: HibernationView) =>
  override_sleeps === null
    ? ""
    : `By request, it ${override_sleeps ? "sleeps" : "runs"} ${override_until ? `until ${moment(override_until)}` : "until further notice"}.`;
