import { Alert, Badge, Button, Link, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";
import { Link as RouterLink } from "react-router-dom";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { bytes } from "../../../data/words";
import type { Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { CheckboxField, ReasonField, TextField } from "../../../parts/fields";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { BackupView, DeploymentView, NewBackup, OperationView, RestoreBackup } from "../../../../generated/platform";
import { answers, type OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { ofPlatform, referenceOf } from "../../data/platform";
import { ConfirmName } from "../../parts/ConfirmName";
import { OperationBadge } from "../../parts/marks";
import { Panel } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";

/** Backups of the database: made, listed, and put back. */
export function BackupsPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.upgrade", { workspace: deployment.workspace, deployment: deployment.id });
  const path = `/deployments/${referenceOf(deployment)}/backups`;
  const polled = usePolled<Page<BackupView>>(`${path}?limit=1000`, 5);
  const [making, setMaking] = useState(false);
  const [restored, setRestored] = useState<BackupView>();
  const enabled = deployment.operation === null && answers(deployment);
  const refresh = () => {
    polled.refresh();
    done();
  };
  const columns: Column<BackupView>[] = [
    {
      name: "Created",
      cell: (each) => (
        <Text>
          <When at={each.created_at} />
          {each.created_by ? `, by ${each.created_by}` : ""}
        </Text>
      ),
    },
    {
      name: "State",
      cell: (each) =>
        each.operation === null ? (
          <OperationBadge state={each.state} />
        ) : (
          <Link asChild>
            <RouterLink to={`/operations/${each.operation}`} aria-label={`${each.state}: the operation`}>
              <OperationBadge state={each.state} />
            </RouterLink>
          </Link>
        ),
    },
    { name: "Airflow", cell: (each) => each.version || "–" },
    { name: "Size", hideBelow: "md", cell: (each) => (each.size ? size(each.size) : "–") },
    { name: "Database revisions", hideBelow: "lg", cell: heads },
    { name: "Kept until", hideBelow: "md", cell: (each) => (each.keep_until === null ? "–" : <When at={each.keep_until} />) },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange && each.state === "succeeded" ? (
          <Button size="xs" variant="outline" colorPalette="red" disabled={!enabled} aria-label={`Restore the backup of ${each.created_at}`} onClick={() => setRestored(each)}>
            Restore
          </Button>
        ) : undefined,
    },
  ];
  return (
    <Shown polled={polled} what="backups">
      {(page) => (
        <Panel
          title="Backups"
          action={
            mayChange ? (
              <Button size="sm" variant="outline" disabled={!enabled} onClick={() => setMaking(true)}>
                Create backup
              </Button>
            ) : undefined
          }
        >
          <Text color="fg.muted" mb={3}>
            Encrypted copies of the database. An upgrade creates one before it begins.
          </Text>
          {page.items.length === 0 ? (
            <Text>No backups yet.</Text>
          ) : (
            <PagedTable label="List of backups" columns={columns} rows={page.items} id={(each) => each.id} />
          )}
          {making ? <Make path={path} onClose={() => setMaking(false)} done={refresh} /> : undefined}
          {restored ? <Restore path={path} deployment={deployment} backup={restored} onClose={() => setRestored(undefined)} done={refresh} /> : undefined}
        </Panel>
      )}
    </Shown>
  );
}

const size = (number: number) => (number < 2 ** 20 ? `${Math.max(1, Math.round(number / 1024))} KiB` : bytes(number));

function heads({ heads: found }: BackupView) {
  return (
    <VStack align="flex-start" gap={1}>
      {Object.entries(found).map(([table, head]) => (
        <Badge key={table} variant="outline" textTransform="none" title={table}>
          {head}
        </Badge>
      ))}
    </VStack>
  );
}

type Asked = { path: string; onClose: () => void; done: () => void };

function Make({ path, onClose, done }: Asked) {
  const say = useSay();
  const [days, setDays] = useState("30");
  const [reason, setReason] = useState("");
  const send = async () => {
    const body: NewBackup = { keep_days: Number(days) };
    await ofPlatform.call<OperationView>(path, { method: "POST", body, query: { reason: reason.trim() } });
    say("The backup is being created");
    done();
  };
  return (
    <FormDialog title="Create backup" open onClose={onClose} submit="Create" onSubmit={send}>
      <Text>The Deployment goes on while its database is copied.</Text>
      <TextField label="Days to keep the backup" required type="number" min={1} max={3650} value={days} set={setDays} />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}

function Restore({ path, deployment, backup, onClose, done }: Asked & { deployment: DeploymentView; backup: BackupView }) {
  const say = useSay();
  const [accepted, setAccepted] = useState(false);
  const [reason, setReason] = useState("");
  const send = async () => {
    const body: RestoreBackup = { accept_loss: accepted };
    await ofPlatform.call<OperationView>(`${path}/${backup.id}/restore`, { method: "POST", body, query: { reason: reason.trim() } });
    say("The backup is being restored");
    done();
  };
  return (
    <FormDialog title="Restore a backup" open onClose={onClose} submit="Restore" dangerous onSubmit={send}>
      <Text>
        The database of {deployment.name} becomes what it was <When at={backup.created_at} />
        {backup.version ? `, with Airflow ${backup.version}` : ""}. Airflow cannot be reached meanwhile.
      </Text>
      <Alert.Root status="warning">
        <Alert.Indicator />
        <Alert.Title>
          Runs that began later are lost. If there are any, the operation stops before it changes anything and says how many, unless you accept the loss here.
        </Alert.Title>
      </Alert.Root>
      <CheckboxField checked={accepted} set={setAccepted}>
        Accept the loss of runs that began later
      </CheckboxField>
      <ConfirmName name={deployment.name} />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
