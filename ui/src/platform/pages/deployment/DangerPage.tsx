import { Button, Flex, Text, VStack } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";

import { FormDialog } from "../../../parts/dialogs";
import { ReasonField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import type { ChangeDeployment, DeploymentView, OperationView, PurgeDeployment } from "../../../../generated/platform";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { ifMatch, ofPlatform, referenceOf } from "../../data/platform";
import { ConfirmName } from "../../parts/ConfirmName";
import { Panel } from "../../parts/page";

type Act = { title: string; explained: string; submit: string; typed?: boolean; dangerous?: boolean; run: (reason: string) => Promise<void> };

/** Protection from deletion, deletion, and what can be done in the 14 days after it. */
export function DangerPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const say = useSay();
  const [act, setAct] = useState<Act>();
  const may = (permission: string) => allows(me, permission, { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}`;
  const said = (text: string) => {
    say(text);
    done();
  };
  const protect = (protection: boolean): Act => ({
    title: protection ? `Protect ${deployment.name}` : `Remove the protection of ${deployment.name}`,
    explained: protection ? "It cannot be deleted until the protection is removed." : "It can be deleted then.",
    submit: protection ? "Protect" : "Remove protection",
    run: async (reason) => {
      const body: ChangeDeployment = { deletion_protection: protection };
      await ofPlatform.call<DeploymentView>(path, { method: "PATCH", body, query: { reason }, headers: ifMatch(deployment.revision) });
      said(protection ? "Protected" : "The protection is removed");
    },
  });
  const remove: Act = {
    title: `Delete ${deployment.name}`,
    explained:
      "Its Airflow stops, and its addresses and tokens stop working at once. Tasks that run at sites are lost. " +
      "Its data is kept for 14 days, in which it can be restored.",
    submit: "Delete",
    typed: true,
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call<OperationView>(path, { method: "DELETE", query: { reason }, headers: ifMatch(deployment.revision) });
      said(`${deployment.name} is being deleted`);
    },
  };
  const restore: Act = {
    title: `Restore ${deployment.name}`,
    explained: "It runs again with the data, addresses and tokens that it had.",
    submit: "Restore",
    run: async (reason) => {
      await ofPlatform.call<OperationView>(`${path}/restore`, { method: "POST", query: { reason } });
      said(`${deployment.name} is being restored`);
    },
  };
  const purge: Act = {
    title: `Purge ${deployment.name}`,
    explained: "Its database, keys and backups are erased now. Nothing brings them back.",
    submit: "Purge",
    typed: true,
    dangerous: true,
    run: async (reason) => {
      const body: PurgeDeployment = { name: deployment.name };
      await ofPlatform.call<OperationView>(`${path}/purge`, { method: "POST", body, query: { reason } });
      said(`${deployment.name} is being purged`);
    },
  };
  const deleted = deployment.phase === "deleted";
  const halfErased = deployment.phase === "purge_failed";
  const settled = deployment.operation === null;
  return (
    <VStack align="stretch" gap={4} maxW="48em">
      {deleted || halfErased ? (
        <>
          {deleted ? <Row title="Restore" help={restore.explained} act={restore} ask={setAct} enabled={settled} /> : undefined}
          <Row title="Purge" help={purge.explained} act={purge} ask={setAct} enabled={settled} />
        </>
      ) : (
        <>
          {may("deployment.config.update") ? (
            <Row
              title="Deletion protection"
              help={deployment.deletion_protection ? "On: the Deployment cannot be deleted." : "Off: the Deployment can be deleted."}
              act={protect(!deployment.deletion_protection)}
              ask={setAct}
              enabled={settled}
            />
          ) : undefined}
          <Row
            title="Delete"
            help={deployment.deletion_protection ? "Remove the protection first." : remove.explained}
            act={remove}
            ask={setAct}
            enabled={settled && !deployment.deletion_protection}
          />
        </>
      )}
      {act ? <Sure key={act.title} act={act} name={deployment.name} onClose={() => setAct(undefined)} /> : undefined}
    </VStack>
  );
}

function Row(props: { title: string; help: ReactNode; act: Act; ask: (act: Act) => void; enabled: boolean }) {
  return (
    <Panel title={props.title}>
      <Flex justify="space-between" align="center" gap={4} wrap="wrap">
        <Text color="fg.muted" maxW="32em">
          {props.help}
        </Text>
        <Button
          size="sm"
          variant="outline"
          {...(props.act.dangerous ? { colorPalette: "red" } : {})}
          disabled={!props.enabled}
          onClick={() => props.ask(props.act)}
        >
          {props.act.submit}
        </Button>
      </Flex>
    </Panel>
  );
}

/** Asks for the reason, and for the name where it cannot be undone by a click. */
function Sure({ act, name, onClose }: { act: Act; name: string; onClose: () => void }) {
  const [reason, setReason] = useState("");
  return (
    <FormDialog title={act.title} open onClose={onClose} submit={act.submit} dangerous={act.dangerous ?? false} onSubmit={() => act.run(reason.trim())}>
      <Text>{act.explained}</Text>
      {act.typed ? <ConfirmName name={name} /> : undefined}
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
