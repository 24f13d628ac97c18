import { Alert, Badge, Button, Flex, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../data/context";
import { useSource } from "../data/source";
import type { AllowedAddresses, AllowedNetwork } from "../data/types";
import { usePolled } from "../data/usePolled";
import { count } from "../data/words";
import { DataTable, type Column } from "../parts/DataTable";
import { FormDialog, ReasonAndForce } from "../parts/dialogs";
import { When } from "../parts/marks";
import { NetworkFields } from "../parts/NetworkFields";
import { Nothing, Shown } from "../parts/states";
import { CheckConnectivity } from "./Connectivity";
import { PrivateEndpoints } from "./PrivateEndpoints";

/** From where agents may connect. */
export function AddressesPage() {
  const polled = usePolled<AllowedAddresses>("/allowed-addresses", 5);
  return (
    <Shown polled={polled} what="allowed addresses">
      {(list) => (
        <>
          <List list={list} done={polled.refresh} />
          <CheckConnectivity />
        </>
      )}
    </Shown>
  );
}

type Change = { title: string; networks: AllowedNetwork[]; asks?: boolean };

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
        may("deployment.allowList.update") ? (
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
        {may("deployment.allowList.update") ? (
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
      <PrivateEndpoints list={list} done={done} />
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
  const { call } = useSource();
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
        <NetworkFields network={network} setNetwork={setNetwork} description={description} setDescription={setDescription} />
      ) : undefined}
      {change.asks && change.networks.length === 0 ? (
        <Text>Agents may connect from anywhere now. After this change they may connect from this network only.</Text>
      ) : undefined}
      {!change.asks && change.networks.length === 0 ? (
        <Text>This is the last network. Without it, agents may connect from anywhere.</Text>
      ) : undefined}
      <ReasonAndForce onReason={setReason} onForce={setForce} reason={reason} force={force}>
        Apply even if this locks out connected agents or me
      </ReasonAndForce>
    </FormDialog>
  );
}
