import { Alert, Button, HStack, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { ReasonField, SelectField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { DeploymentView, MaintenanceView, OperationView, ReleaseView, Upgrade } from "../../../../generated/platform";
import { answers, type OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { ofPlatform, referenceOf } from "../../data/platform";
import { compared } from "../../data/versions";
import { Failed } from "../../parts/failures";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { Preflight } from "../../parts/Preflight";
import { Steps } from "../../parts/Steps";
import { BeginsNow } from "../maintenance/BeginsNow";

/** The version of Airflow, and the way to a newer one: first a look that changes nothing, then the upgrade. */
export function VersionPage({ deployment, done }: OfDeployment) {
  const polled = usePolled<Page<ReleaseView>>("/releases?limit=1000", 60);
  return (
    <Shown polled={polled} what="versions">
      {(page) => <Versions deployment={deployment} done={done} releases={page.items} />}
    </Shown>
  );
}

/** Versions that the cluster of the Deployment can run and that are newer than its own. */
const newer = ({ cluster_name, version }: DeploymentView, releases: ReleaseView[]) =>
  releases.filter((each) => each.clusters.includes(cluster_name) && (version === "" || compared(each.version, version) > 0));

function Versions({ deployment, done, releases }: OfDeployment & { releases: ReleaseView[] }) {
  const me = useMe();
  const say = useSay();
  const offered = newer(deployment, releases);
  const [version, setVersion] = useState(offered[0]?.version ?? "");
  const [look, setLook] = useState<string>(); // the operation of the last preflight
  const [action, setAction] = useState<Action>();
  const [upgrading, setUpgrading] = useState(false);
  const mayChange = allows(me, "deployment.upgrade", { workspace: deployment.workspace, deployment: deployment.id });
  const enabled = deployment.operation === null && answers(deployment);

  const path = `/deployments/${referenceOf(deployment)}`;
  const maintenance = usePolled<MaintenanceView>(mayChange ? `${path}/maintenance` : undefined, 10).data;
  const ask = (wanted: Partial<Upgrade>, reason: string) => {
    const body: Upgrade = { version, ...wanted };
    return ofPlatform.call<OperationView>(`${path}/upgrade`, { method: "POST", body, query: { reason } });
  };
  const preflight: Action = {
    title: `Check the upgrade to ${version}`,
    explained: "Looks at the database, the agents, plugins, options and the room for a backup with the new version. Nothing changes.",
    submit: "Check",
    run: async (reason) => {
      setLook((await ask({ dry_run: true }, reason)).id);
      done();
    },
  };
  const upgrade = async (now: boolean, reason: string) => {
    await ask({ now }, reason);
    say(`The upgrade to ${version} has begun`);
    done();
  };
  return (
    <VStack align="stretch" gap={4} maxW="52em">
      <Panel title="Version">
        <Text>
          {deployment.version ? `Airflow ${deployment.version}.` : "The version of the cluster's only environment."}{" "}
          {offered.length === 0 ? "The cluster offers no newer one." : ""}
        </Text>
        {mayChange && offered.length > 0 ? (
          <HStack gap={3} mt={3} align="flex-end" wrap="wrap">
            <SelectField
              label="Upgrade to"
              value={version}
              set={setVersion}
              options={offered.map((each) => [each.version, each.channel === "stable" ? each.version : `${each.version} (${each.channel})`])}
            />
            <Button variant="outline" disabled={!enabled} onClick={() => setAction(preflight)}>
              Check
            </Button>
            <Button colorPalette="brand" disabled={!enabled} onClick={() => setUpgrading(true)}>
              Upgrade
            </Button>
          </HStack>
        ) : undefined}
        {mayChange && offered.length > 0 && !enabled ? (
          <Text color="fg.muted" mt={2} fontSize="sm">
            {deployment.operation === null ? "The Deployment has to run." : "Another operation has to end first."}
          </Text>
        ) : undefined}
      </Panel>
      {look ? <Look operation={look} /> : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
      {upgrading ? <AskUpgrade version={version} maintenance={maintenance} run={upgrade} onClose={() => setUpgrading(false)} /> : undefined}
    </VStack>
  );
}

type Asked = {
  version: string;
  maintenance: MaintenanceView | undefined;
  run: (now: boolean, reason: string) => Promise<void>;
  onClose: () => void;
};

function AskUpgrade({ version, maintenance, run, onClose }: Asked) {
  const [reason, setReason] = useState("");
  const now = maintenance !== undefined && !maintenance.is_open;
  return (
    <FormDialog title={`Upgrade to ${version}`} open onClose={onClose} submit={now ? "Upgrade now" : "Upgrade"} onSubmit={() => run(now, reason.trim())}>
      <Text>
        No task begins while it lasts, and Airflow cannot be reached. Running tasks go on at their sites, and hand in their results afterwards. A backup is made
        first. When a step fails before the new version serves, the backup is put back.
      </Text>
      {maintenance ? <BeginsNow found={maintenance} /> : undefined}
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}

function Look({ operation }: { operation: string }) {
  const polled = usePolled<OperationView>(`/operations/${operation}`, 1);
  return (
    <Shown polled={polled} what="the check">
      {(found) => (
        <Panel title="Check" action={<OperationBadge state={found.state} />}>
          <VStack align="stretch" gap={3}>
            <Failed operation={found} />
            {found.state === "succeeded" ? (
              <>
                <Preflight operation={found} />
                <Alert.Root status="info">
                  <Alert.Indicator />
                  <Alert.Title>The upgrade looks at these once more before it begins.</Alert.Title>
                </Alert.Root>
              </>
            ) : (
              <Steps operation={found} />
            )}
          </VStack>
        </Panel>
      )}
    </Shown>
  );
}
