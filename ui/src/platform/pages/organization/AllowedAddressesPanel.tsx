import { HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { additionTo, AllowList, AllowListDialog, YourAddress, type ListChange, type Network } from "../../../parts/AllowList";
import { ReasonField } from "../../../parts/fields";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { Shown } from "../../../parts/states";
import type { OrganizationAllowedAddresses, OrganizationAllowedNetwork, SetOrganizationAllowedAddresses } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { Panel } from "../../parts/page";

const PATH = "/organization/allowed-addresses";

/** From where people and their programs may use the platform. */
export function AllowedAddressesPanel() {
  const polled = usePolled<OrganizationAllowedAddresses>(PATH, 10);
  return (
    <Panel title="Allowed addresses">
      <Shown polled={polled} what="allowed addresses">
        {(list) => <Networks list={list} done={polled.refresh} />}
      </Shown>
    </Panel>
  );
}

function Networks({ list, done }: { list: OrganizationAllowedAddresses; done: () => void }) {
  const me = useMe();
  const [change, setChange] = useState<ListChange>();
  const networks = list.networks.map(listed);
  const mayChange = allows(me, "organization.update");
  return (
    <>
      <Text mb={3}>
        {networks.length
          ? "The pages, the API, sign-in and SCIM can be used from these networks only."
          : "The pages, the API, sign-in and SCIM can be used from any address."}{" "}
        <YourAddress address={list.your_address} />
      </Text>
      {networks.length ? <AllowList label="Allowed networks" networks={networks} mayChange={mayChange} onChange={setChange} /> : undefined}
      {list.changed_at ? (
        <Text mt={2} color="fg.muted">
          Last changed <When at={list.changed_at} /> by {list.changed_by}
        </Text>
      ) : undefined}
      {mayChange ? (
        <HStack mt={3}>
          <RowButton onClick={() => setChange(additionTo(networks))}>Add network</RowButton>
        </HStack>
      ) : undefined}
      {change ? <Changing list={list} change={change} onClose={() => setChange(undefined)} done={done} /> : undefined}
    </>
  );
}

type ChangingProps = { list: OrganizationAllowedAddresses; change: ListChange; onClose: () => void; done: () => void };

function Changing({ list, change, onClose, done }: ChangingProps) {
  const say = useSay();
  const { call } = useSource();
  const [revision] = useState(list.revision); // what the person saw: a list changed meanwhile is not overwritten
  const [reason, setReason] = useState("");
  return (
    <AllowListDialog
      change={change}
      suggested={change.networks.length ? "" : list.your_address}
      first="Any address is allowed now. After this change, only this network is. It has to have your own address."
      last="This is the last network. Without it, any address is allowed."
      onClose={onClose}
      save={async (networks) => {
        const body: SetOrganizationAllowedAddresses = { networks };
        const query = { reason: reason.trim() };
        await call<OrganizationAllowedAddresses>(PATH, { method: "PUT", body, query, headers: ifMatch(revision) });
        say("The allowed addresses were changed");
        done();
      }}
    >
      <ReasonField reason={reason} set={setReason} />
    </AllowListDialog>
  );
}

const listed = ({ network, description }: OrganizationAllowedNetwork): Network => ({ network, description: description ?? "" });
