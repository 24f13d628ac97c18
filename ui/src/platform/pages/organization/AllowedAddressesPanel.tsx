import { Badge, Button, Field, HStack, Input, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { FormDialog } from "../../../parts/dialogs";
import { When } from "../../../parts/marks";
import { NetworkFields } from "../../../parts/NetworkFields";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type {
  OrganizationAllowedAddresses,
  OrganizationAllowedNetwork,
  SetOrganizationAllowedAddresses,
} from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { Panel } from "../../parts/page";

const PATH = "/organization/allowed-addresses";

type Listed = { network: string; description: string };
type Change = { title: string; networks: Listed[]; asks: boolean };

/** From where people and their programs may use the platform. */
export function AllowedAddressesPanel() {
  const polled = usePolled<OrganizationAllowedAddresses>(PATH, 10);
  return (
    <Panel title="Allowed addresses">
      <Shown polled={polled} what="allowed addresses">
        {(list) => <List list={list} done={polled.refresh} />}
      </Shown>
    </Panel>
  );
}

function List({ list, done }: { list: OrganizationAllowedAddresses; done: () => void }) {
  const me = useMe();
  const [change, setChange] = useState<Change>();
  const networks = list.networks.map(listed);
  const mayChange = allows(me, "organization.update");
  const columns: Column<Listed>[] = [
    { name: "Network", cell: (each) => <Text fontFamily="mono">{each.network}</Text> },
    { name: "Description", cell: (each) => each.description },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange ? (
          <Button
            size="xs"
            variant="outline"
            colorPalette="red"
            aria-label={`Remove ${each.network}`}
            onClick={() =>
              setChange({
                title: `Remove ${each.network}`,
                networks: networks.filter((other) => other.network !== each.network),
                asks: false,
              })
            }
          >
            Remove
          </Button>
        ) : undefined,
    },
  ];
  return (
    <>
      <Text mb={3}>
        {networks.length
          ? "The pages, the API, sign-in and SCIM can be used from these networks only."
          : "The pages, the API, sign-in and SCIM can be used from any address."}{" "}
        Your address:{" "}
        <Badge variant="outline" textTransform="none">
          {list.your_address || "unknown"}
        </Badge>
      </Text>
      {networks.length ? (
        <DataTable label="Allowed networks" columns={columns} rows={networks} id={(each) => each.network} />
      ) : undefined}
      {list.changed_at ? (
        <Text mt={2} color="fg.muted">
          Last changed <When at={list.changed_at} /> by {list.changed_by}
        </Text>
      ) : undefined}
      {mayChange ? (
        <HStack mt={3}>
          <Button size="xs" variant="outline" onClick={() => setChange({ title: "Add network", networks, asks: true })}>
            Add network
          </Button>
        </HStack>
      ) : undefined}
      {change ? <Changing list={list} change={change} onClose={() => setChange(undefined)} done={done} /> : undefined}
    </>
  );
}

function Changing({
  list,
  change,
  onClose,
  done,
}: {
  list: OrganizationAllowedAddresses;
  change: Change;
  onClose: () => void;
  done: () => void;
}) {
  const say = useSay();
  const { call } = useSource();
  const [revision] = useState(list.revision); // what the person saw: a list changed meanwhile is not overwritten
  const [network, setNetwork] = useState(change.networks.length ? "" : list.your_address);
  const [description, setDescription] = useState("");
  const [reason, setReason] = useState("");
  const isFirst = change.asks && change.networks.length === 0;
  return (
    <FormDialog
      title={change.title}
      open
      onClose={onClose}
      submit={change.asks ? "Add" : "Remove"}
      dangerous={!change.asks}
      onSubmit={async () => {
        const networks = change.asks ? [...change.networks, { network: network.trim(), description }] : change.networks;
        const body: SetOrganizationAllowedAddresses = { networks };
        const query = { reason: reason.trim() };
        await call<OrganizationAllowedAddresses>(PATH, { method: "PUT", body, query, headers: ifMatch(revision) });
        say("The allowed addresses were changed");
        done();
      }}
    >
      {change.asks ? (
        <NetworkFields network={network} setNetwork={setNetwork} description={description} setDescription={setDescription} />
      ) : undefined}
      {isFirst ? (
        <Text>Any address is allowed now. After this change, only this network is. It has to have your own address.</Text>
      ) : undefined}
      {!change.asks && change.networks.length === 0 ? (
        <Text>This is the last network. Without it, any address is allowed.</Text>
      ) : undefined}
      <Field.Root>
        <Field.Label>Reason</Field.Label>
        <Input maxLength={1000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Field.Root>
    </FormDialog>
  );
}

const listed = ({ network, description }: OrganizationAllowedNetwork): Listed => ({ network, description: description ?? "" });
