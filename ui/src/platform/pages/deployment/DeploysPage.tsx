import { Badge, Button, Code, HStack, Link, Text } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import type { Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { ReasonField, TextField } from "../../../parts/fields";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { DeployView, OperationView, RollBack } from "../../../../generated/platform";
import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { ofPlatform, referenceOf } from "../../data/platform";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";

/** What was deployed to the plane of a Deployment, and back to it. */
export function DeploysPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.deploys.create", { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}/deploys`;
  const polled = usePolled<Page<DeployView>>(`${path}?limit=1000`, 5);
  const [chosen, setChosen] = useState<DeployView>();
  const columns: Column<DeployView>[] = [
    {
      name: "Deployed",
      cell: (each) => (
        <Text>
          <When at={each.created_at} />
          {each.created_by ? `, by ${each.created_by}` : ""}
        </Text>
      ),
    },
    {
      name: "Status",
      cell: (each) => (
        <HStack gap={2}>
          <Link asChild>
            <RouterLink to={`/operations/${each.operation}`} aria-label={`${stateOf(each)}: the operation`}>
              <OperationBadge state={stateOf(each)} />
            </RouterLink>
          </Link>
          {each.is_current ? <Badge colorPalette="green">current</Badge> : undefined}
        </HStack>
      ),
    },
    { name: "Code", cell: code },
    { name: "Airflow", hideBelow: "md", cell: (each) => each.airflow || "–" },
    { name: "Commit", hideBelow: "lg", cell: commit },
    { name: "Description", hideBelow: "lg", cell: (each) => each.description || (each.rolled_back_from ? "Roll-back" : "–") },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange && each.status === "DEPLOYED" && !each.is_current ? (
          <Button
            size="xs"
            variant="outline"
            disabled={deployment.operation !== null}
            aria-label={`Roll back to the code of ${each.created_at}`}
            onClick={() => setChosen(each)}
          >
            Roll back
          </Button>
        ) : undefined,
    },
  ];
  const refresh = () => {
    polled.refresh();
    done();
  };
  return (
    <Shown polled={polled} what="deploys">
      {(page) => (
        <Panel title="Deploys">
          <Text color="fg.muted" mb={3}>
            Plugins, timetables and packages of the plane. They are deployed from a project: <Code>tradewind project deploy --deployment {deployment.name}</Code>
          </Text>
          {page.items.length === 0 ? (
            <Text>Nothing was deployed. It has the environment of its cluster.</Text>
          ) : (
            <PagedTable label="List of deploys" columns={columns} rows={page.items} id={(each) => each.id} />
          )}
          {chosen ? <Back path={path} deploy={chosen} onClose={() => setChosen(undefined)} done={refresh} /> : undefined}
        </Panel>
      )}
    </Shown>
  );
}

/** The words that operations have for it. */
const STATES: Record<string, string> = { INITIALIZED: "running", DEPLOYED: "succeeded", FAILED: "failed" };

const stateOf = ({ status }: DeployView) => STATES[status] ?? status;

function code({ digest, image }: DeployView) {
  const whole = digest || image;
  return whole ? (
    <Code title={whole}>{(digest || (image.split("@").pop() ?? "")).slice(0, 19)}</Code>
  ) : (
    "the cluster's own"
  );
}

function commit({ git }: DeployView) {
  return git === null ? (
    "–"
  ) : (
    <Text title={git.is_dirty ? "Files differed from the commit" : git.commit}>
      {git.commit.slice(0, 10)}
      {git.is_dirty ? "+" : ""} {git.branch}
    </Text>
  );
}

function Back({ path, deploy, onClose, done }: { path: string; deploy: DeployView; onClose: () => void; done: () => void }) {
  const say = useSay();
  const [description, setDescription] = useState("");
  const [reason, setReason] = useState("");
  const send = async () => {
    const body: RollBack = { deploy: deploy.id, description: description.trim() };
    await ofPlatform.call<OperationView>(`${path}/roll-back`, { method: "POST", body, query: { reason: reason.trim() } });
    say("The code is being rolled back");
    done();
  };
  return (
    <FormDialog title="Roll back" open onClose={onClose} submit="Roll back" onSubmit={send}>
      <Text>
        The Deployment gets the code that it had <When at={deploy.created_at} />. It is restarted, the API server first. This is refused when its database has other
        migrations by now.
      </Text>
      <TextField label="Description" maxLength={500} value={description} set={setDescription} />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
