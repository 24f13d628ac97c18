import { Alert, Badge, Button, Checkbox, Field, Flex, HStack, Input, SimpleGrid, Text, Textarea } from "@chakra-ui/react";
import { useState } from "react";

import { call } from "../data/api";
import { useHere } from "../data/context";
import type { AllowedAddresses, AllowedEndpoint, AllowedNetwork } from "../data/types";
import { usePolled } from "../data/usePolled";
import { count } from "../data/words";
import { DataTable, type Column } from "../parts/DataTable";
import { FormDialog } from "../parts/dialogs";
import { When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** From where agents may connect. */
export function AddressesPage() {
  const polled = usePolled<AllowedAddresses>("/allowed-addresses", 5);
  return (
    <Shown polled={polled} what="allowed addresses">
      {(list) => <List list={list} done={polled.refresh} />}
    </Shown>
  );
}

type Change = { title: string; networks: AllowedNetwork[]; asks?: boolean };

type EndpointChange = { title: string; submit: string; endpoints?: AllowedEndpoint[]; asks?: boolean; private_only?: boolean };

function List({ list, done }: { list: AllowedAddresses; done: () => void }) {
  const { may } = useHere();
  const [change, setChange] = useState<Change>();
  const add = () => setChange({ title: "Add network", networks: list.networks, asks: true });
  const columns: Column<AllowedNetwork>[] = [
    { name: "Network", cell: (each) => <Text fontFamily="mono">{each.network}</Text> },
    { name: "Description", cell: (each) => each.description },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        may("administer") ? (
          <Button
            size="xs"
            variant="outline"
            colorPalette="red"
            aria-label={`Remove ${each.network}`}
            onClick={() =>
              setChange({
                title: `Remove ${each.network}`,
                networks: list.networks.filter((other) => other.network !== each.network),
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
      <Flex justify="space-between" align="flex-start" gap={3} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="44em">
          Agents may connect from these networks. A change takes effect on every API server within seconds. Your address:{" "}
          <Badge variant="outline" textTransform="none">
            {list.your_address || "unknown"}
          </Badge>
          {list.changed_at ? (
            <>
              . Last changed <When at={list.changed_at} /> by {list.changed_by}
            </>
          ) : (
            ". The list is that of the configuration"
          )}
          .
        </Text>
        {may("administer") ? (
          <Button size="sm" colorPalette="brand" onClick={add}>
            Add network
          </Button>
        ) : undefined}
      </Flex>
      {list.locked_out.length ? (
        <Alert.Root status="warning" mb={4}>
          <Alert.Indicator />
          <Alert.Title>
            {count(list.locked_out.length, "connected agent")} not allowed: {list.locked_out.join(", ")}
          </Alert.Title>
        </Alert.Root>
      ) : undefined}
      {list.warnings.map((warning) => (
        <Alert.Root key={warning} status="warning" mb={4}>
          <Alert.Indicator />
          <Alert.Title>{warning}</Alert.Title>
        </Alert.Root>
      ))}
      {list.networks.length === 0 ? (
        <Nothing title={list.private_only ? "The public way is shut" : "Agents may connect from anywhere"}>
          {list.private_only
            ? "Agents may connect by the private endpoints below only."
            : "The list is empty, so every address is allowed."}
        </Nothing>
      ) : (
        <DataTable label="Allowed addresses" columns={columns} rows={list.networks} id={(each) => each.network} />
      )}
      <Endpoints list={list} done={done} />
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
  list: AllowedAddresses;
  change: Change;
  onClose: () => void;
  done: () => void;
}) {
  const { say } = useHere();
  const [revision] = useState(list.revision); // what the person saw: a list changed meanwhile is not overwritten
  const [network, setNetwork] = useState("");
  const [description, setDescription] = useState("");
  const [reason, setReason] = useState("");
  const [force, setForce] = useState(false);
  return (
    <FormDialog
      title={change.title}
      open
      onClose={onClose}
      submit={change.asks ? "Add" : "Remove"}
      dangerous={!change.asks}
      onSubmit={async () => {
        const networks = change.asks ? [...change.networks, { network: network.trim(), description }] : change.networks;
        const body = { networks, reason, force, revision };
        await call<AllowedAddresses>("/allowed-addresses", { method: "PUT", body });
        say("The allowed addresses were changed");
        done();
      }}
    >
      {change.asks ? (
        <SimpleGrid columns={{ base: 1, md: 2 }} gap={3}>
          <Field.Root required>
            <Field.Label>Network</Field.Label>
            <Input
              required
              maxLength={64}
              placeholder="203.0.113.0/24"
              value={network}
              onChange={(event) => setNetwork(event.target.value)}
            />
          </Field.Root>
          <Field.Root>
            <Field.Label>Description</Field.Label>
            <Input maxLength={250} value={description} onChange={(event) => setDescription(event.target.value)} />
          </Field.Root>
        </SimpleGrid>
      ) : undefined}
      {change.asks && change.networks.length === 0 ? (
        <Text>Agents may connect from anywhere now. After this change they may connect from this network only.</Text>
      ) : undefined}
      {!change.asks && change.networks.length === 0 ? (
        <Text>This is the last network. Without it, agents may connect from anywhere.</Text>
      ) : undefined}
      <Field.Root>
        <Field.Label>Reason</Field.Label>
        <Textarea rows={2} maxLength={1000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Field.Root>
      <HStack>
        <Checkbox.Root
          size="sm"
          checked={force}
          onCheckedChange={(changed: { checked: boolean | "indeterminate" }) => setForce(changed.checked === true)}
        >
          <Checkbox.HiddenInput />
          <Checkbox.Control />
          <Checkbox.Label>Apply even if this locks out me or every connected agent</Checkbox.Label>
        </Checkbox.Root>
      </HStack>
    </FormDialog>
  );
}

function Endpoints({ list, done }: { list: AllowedAddresses; done: () => void }) {
  const { may } = useHere();
  const [change, setChange] = useState<EndpointChange>();
  const columns: Column<AllowedEndpoint>[] = [
    { name: "Private endpoint", cell: (each) => <Text fontFamily="mono">{each.endpoint}</Text> },
    { name: "Name", cell: (each) => each.name },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        may("administer") ? (
          <Button
            size="xs"
            variant="outline"
            colorPalette="red"
            aria-label={`Remove ${each.endpoint}`}
            onClick={() =>
              setChange({
                title: `Remove ${each.endpoint}`,
                submit: "Remove",
                endpoints: list.endpoints.filter((other) => other.endpoint !== each.endpoint),
              })
            }
          >
            Remove
          </Button>
        ) : undefined,
    },
  ];
  const shut = list.private_only;
  return (
    <>
      <Flex justify="space-between" align="flex-start" gap={3} mt={6} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="44em">
          Agents may connect by these private endpoints (AWS PrivateLink, Azure Private Link, Private Service Connect). The
          networks above are for the public way, which is{" "}
          <Badge colorPalette={shut ? "red" : "green"} textTransform="none">
            {shut ? "shut" : "open"}
          </Badge>
          .
        </Text>
        {may("administer") ? (
          <HStack>
            <Button
              size="sm"
              variant="outline"
              onClick={() =>
                setChange({
                  title: shut ? "Open the public way" : "Shut the public way",
                  submit: shut ? "Open" : "Shut",
                  private_only: !shut,
                })
              }
            >
              {shut ? "Open the public way" : "Private only"}
            </Button>
            <Button
              size="sm"
              colorPalette="brand"
              onClick={() =>
                setChange({ title: "Add private endpoint", submit: "Add", endpoints: list.endpoints, asks: true })
              }
            >
              Add private endpoint
            </Button>
          </HStack>
        ) : undefined}
      </Flex>
      {list.endpoints.length ? (
        <DataTable
          label="Allowed private endpoints"
          columns={columns}
          rows={list.endpoints}
          id={(each) => each.endpoint}
        />
      ) : undefined}
      {change ? (
        <ChangingEndpoints list={list} change={change} onClose={() => setChange(undefined)} done={done} />
      ) : undefined}
    </>
  );
}

function ChangingEndpoints({
  list,
  change,
  onClose,
  done,
}: {
  list: AllowedAddresses;
  change: EndpointChange;
  onClose: () => void;
  done: () => void;
}) {
  const { say } = useHere();
  const [revision] = useState(list.revision);
  const [endpoint, setEndpoint] = useState("");
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const [force, setForce] = useState(false);
  return (
    <FormDialog
      title={change.title}
      open
      onClose={onClose}
      submit={change.submit}
      dangerous={change.submit === "Remove" || change.submit === "Shut"}
      onSubmit={async () => {
        const endpoints = change.asks
          ? [...(change.endpoints ?? []), { endpoint: endpoint.trim(), name }]
          : change.endpoints;
        const { networks } = list;
        const body = { networks, endpoints, private_only: change.private_only, reason, force, revision };
        await call<AllowedAddresses>("/allowed-addresses", { method: "PUT", body });
        say("The allowed private endpoints were changed");
        done();
      }}
    >
      {change.asks ? (
        <SimpleGrid columns={{ base: 1, md: 2 }} gap={3}>
          <Field.Root required>
            <Field.Label>Private endpoint</Field.Label>
            <Input
              required
              maxLength={100}
              placeholder="aws:vpce-08d2bf15fac5001c9"
              value={endpoint}
              onChange={(event) => setEndpoint(event.target.value)}
            />
          </Field.Root>
          <Field.Root>
            <Field.Label>Name</Field.Label>
            <Input maxLength={250} value={name} onChange={(event) => setName(event.target.value)} />
          </Field.Root>
        </SimpleGrid>
      ) : undefined}
      <Field.Root>
        <Field.Label>Reason</Field.Label>
        <Textarea rows={2} maxLength={1000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Field.Root>
      <HStack>
        <Checkbox.Root
          size="sm"
          checked={force}
          onCheckedChange={(changed: { checked: boolean | "indeterminate" }) => setForce(changed.checked === true)}
        >
          <Checkbox.HiddenInput />
          <Checkbox.Control />
          <Checkbox.Label>Apply even if this locks out connected agents</Checkbox.Label>
        </Checkbox.Root>
      </HStack>
    </FormDialog>
  );
}
