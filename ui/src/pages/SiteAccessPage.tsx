import { Button, Flex, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../data/context";
import { useSource } from "../data/source";
import type { Page } from "../data/types/page";
import type { SiteAccess, SiteGrant } from "../data/types/siteAccess";
import { usePolled } from "../data/usePolled";
import { DataTable, type Column } from "../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../parts/dialogs";
import { ReasonField, SelectField, TextField } from "../parts/fields";
import { When } from "../parts/marks";
import { RowButton } from "../parts/RowButton";
import { Nothing, Shown } from "../parts/states";

const ACCESS: { value: SiteAccess; short: string; long: string }[] = [
  { value: "wait", short: "Wait for", long: "Wait: read states of runs and tasks" },
  { value: "read", short: "Read", long: "Read: also runs and XComs" },
  { value: "start", short: "Start", long: "Start: start and clear runs, and wait for them" },
  { value: "write", short: "Write", long: "Write: read, start, and write XComs" },
  { value: "consume", short: "Consume assets", long: "Consume assets: their events start Dags" },
];

const shortOf = (access: SiteAccess) => ACCESS.find((each) => each.value === access)?.short ?? access;
const named = (other: string) => (other === "*" ? "every site and the plane" : other);

/** What agents of one site may do with Dags of another. */
export function SiteAccessPage() {
  const { may, say } = useHere();
  const { call } = useSource();
  const polled = usePolled<Page<SiteGrant>>("/site-access?limit=1000", 5);
  const [adding, setAdding] = useState(false);
  const [action, setAction] = useState<Action>();
  const label = (grant: SiteGrant) => `${grant.site}: ${shortOf(grant.access)}, ${named(grant.other)}`;
  const remove = (grant: SiteGrant): Action => ({
    title: `Remove access of site ${grant.site}`,
    explained: `Within seconds, agents of site ${grant.site} lose “${shortOf(grant.access)}” for Dags of ${named(grant.other)}.`,
    submit: "Remove",
    dangerous: true,
    run: async (reason) => {
      await call(`/site-access/${grant.id}`, { method: "DELETE", query: { reason } });
      say(`The access of site ${grant.site} was removed`);
      polled.refresh();
    },
  });
  const columns: Column<SiteGrant>[] = [
    { name: "Site", cell: (grant) => <Text fontWeight="semibold">{grant.site}</Text> },
    { name: "Access", cell: (grant) => shortOf(grant.access) },
    { name: "Dags of", cell: (grant) => named(grant.other) },
    { name: "Created", cell: (grant) => <When at={grant.created_at} /> },
    { name: "Created by", hideBelow: "md", cell: (grant) => grant.created_by },
    {
      name: "Actions",
      quiet: true,
      cell: (grant) =>
        may("deployment.sites.update") ? (
          <RowButton dangerous label={`Remove ${label(grant)}`} onClick={() => setAction(remove(grant))}>
            Remove
          </RowButton>
        ) : undefined,
    },
  ];
  return (
    <>
      <Flex justify="space-between" align="flex-start" gap={3} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="44em">
          Agents of a site reach the Dags of their own site only. Here you allow more: what agents of one site may do with Dags of
          another. A change takes effect on every API server within two seconds.
        </Text>
        {may("deployment.sites.update") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setAdding(true)}>
            Add access
          </Button>
        ) : undefined}
      </Flex>
      <Shown polled={polled} what="site access">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="Each site reaches its own Dags only" />
          ) : (
            <DataTable label="Site access" columns={columns} rows={page.items} id={(grant) => grant.id} />
          )
        }
      </Shown>
      {adding ? <Adding onClose={() => setAdding(false)} done={polled.refresh} /> : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function Adding({ onClose, done }: { onClose: () => void; done: () => void }) {
  const { say } = useHere();
  const { call } = useSource();
  const [site, setSite] = useState("");
  const [other, setOther] = useState("");
  const [access, setAccess] = useState<SiteAccess>("wait");
  const [reason, setReason] = useState("");
  return (
    <FormDialog
      title="Add access"
      open
      onClose={onClose}
      submit="Add"
      onSubmit={async () => {
        const body = { site: site.trim(), other: other.trim(), access, reason };
        await call<SiteGrant>("/site-access", { method: "POST", body });
        say(`Site ${body.site} has access to Dags of ${named(body.other)}`);
        done();
      }}
    >
      <SimpleGrid columns={{ base: 1, md: 2 }} gap={3}>
        <TextField
          label="Site"
          required
          maxLength={250}
          placeholder="reporting"
          help="Agents of this site get the access."
          value={site}
          set={setSite}
        />
        <TextField
          label="Dags of site"
          required
          maxLength={250}
          placeholder="warehouse"
          help="* stands for every site and the plane."
          value={other}
          set={setOther}
        />
      </SimpleGrid>
      <SelectField
        label="Access"
        optional
        options={ACCESS.map((each) => [each.value, each.long] as const)}
        value={access}
        set={(chosen) => setAccess(chosen as SiteAccess)}
      />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}
