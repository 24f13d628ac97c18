import { Alert, Button, Flex, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { AllowedAddresses } from "../../data/types/network";
import { usePolled } from "../../data/usePolled";
import { count } from "../../data/words";
import { additionTo, AllowList, AllowListDialog, YourAddress, type ListChange } from "../../parts/AllowList";
import { ReasonAndForce } from "../../parts/dialogs";
import { When } from "../../parts/marks";
import { Nothing, Shown } from "../../parts/states";
import { CheckConnectivity } from "./CheckConnectivity";
import { PrivateEndpoints } from "./PrivateEndpoints";

/** From where agents may connect. */
export function AddressesPage() {
  const polled = usePolled<AllowedAddresses>("/allowed-addresses", 5);
  return (
    <Shown polled={polled} what="allowed addresses">
      {(list) => (
        <>
          <Networks list={list} done={polled.refresh} />
          <PrivateEndpoints list={list} done={polled.refresh} />
          <CheckConnectivity />
        </>
      )}
    </Shown>
  );
}

function Networks({ list, done }: { list: AllowedAddresses; done: () => void }) {
  const { may } = useHere();
  const mayChange = may("deployment.allowList.update");
  const [change, setChange] = useState<ListChange>();
  return (
    <>
      <Flex justify="space-between" align="flex-start" gap={3} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="44em">
          Agents may connect from these networks. A change takes effect on every API server within seconds.{" "}
          <YourAddress address={list.your_address} />
          {list.changed_at ? (
            <>
              . Last changed <When at={list.changed_at} /> by {list.changed_by}
            </>
          ) : (
            ". The list is that of the configuration"
          )}
          .
        </Text>
        {mayChange ? (
          <Button size="sm" colorPalette="brand" onClick={() => setChange(additionTo(list.networks))}>
            Add network
          </Button>
        ) : undefined}
      </Flex>
      <Warnings list={list} />
      {list.networks.length === 0 ? (
        <Nothing title={list.private_only ? "The public way is shut" : "Agents may connect from anywhere"}>
          {list.private_only
            ? "Agents may connect by the private endpoints below only."
            : "The list is empty, so every address is allowed."}
        </Nothing>
      ) : (
        <AllowList label="Allowed addresses" networks={list.networks} mayChange={mayChange} onChange={setChange} />
      )}
      {change ? <Changing list={list} change={change} onClose={() => setChange(undefined)} done={done} /> : undefined}
    </>
  );
}

function Warnings({ list }: { list: AllowedAddresses }) {
  const lockedOut = list.locked_out.length
    ? [`${count(list.locked_out.length, "connected agent")} not allowed: ${list.locked_out.join(", ")}`]
    : [];
  return [...lockedOut, ...list.warnings].map((warning) => (
    <Alert.Root key={warning} status="warning" mb={4}>
      <Alert.Indicator />
      <Alert.Title>{warning}</Alert.Title>
    </Alert.Root>
  ));
}

type ChangingProps = { list: AllowedAddresses; change: ListChange; onClose: () => void; done: () => void };

function Changing({ list, change, onClose, done }: ChangingProps) {
  const { say } = useHere();
  const { call } = useSource();
  const [revision] = useState(list.revision); // what the person saw: a list changed meanwhile is not overwritten
  const [reason, setReason] = useState("");
  const [force, setForce] = useState(false);
  return (
    <AllowListDialog
      change={change}
      first="Agents may connect from anywhere now. After this change they may connect from this network only."
      last="This is the last network. Without it, agents may connect from anywhere."
      onClose={onClose}
      save={async (networks) => {
        const body = { networks, reason, force, revision };
        await call<AllowedAddresses>("/allowed-addresses", { method: "PUT", body });
        say("The allowed addresses were changed");
        done();
      }}
    >
      <ReasonAndForce onReason={setReason} onForce={setForce} reason={reason} force={force}>
        Apply even if this locks out connected agents or me
      </ReasonAndForce>
    </AllowListDialog>
  );
}
