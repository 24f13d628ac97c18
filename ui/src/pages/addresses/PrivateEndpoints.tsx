import { Badge, Button, Flex, HStack, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { AllowedAddresses, AllowedEndpoint } from "../../data/types/network";
import { DataTable, type Column } from "../../parts/DataTable";
import { FormDialog, ReasonAndForce } from "../../parts/dialogs";
import { TextField } from "../../parts/fields";
import { RowButton } from "../../parts/RowButton";

type Change = { title: string; submit: string; endpoints?: AllowedEndpoint[]; asks?: boolean; private_only?: boolean };

/** By which private endpoints agents may connect, and whether the public way is open. */
export function PrivateEndpoints({ list, done }: { list: AllowedAddresses; done: () => void }) {
  const { may } = useHere();
  const [change, setChange] = useState<Change>();
  const columns: Column<AllowedEndpoint>[] = [
    { name: "Private endpoint", cell: (each) => <Text fontFamily="mono">{each.endpoint}</Text> },
    { name: "Name", cell: (each) => each.name },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        may("deployment.allowList.update") ? (
          <RowButton
            dangerous
            label={`Remove ${each.endpoint}`}
            onClick={() =>
              setChange({
                title: `Remove ${each.endpoint}`,
                submit: "Remove",
                endpoints: list.endpoints.filter((other) => other.endpoint !== each.endpoint),
              })
            }
          >
            Remove
          </RowButton>
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
        {may("deployment.allowList.update") ? (
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
              {shut ? "Open the public way" : "Shut the public way"}
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
        <Changing list={list} change={change} onClose={() => setChange(undefined)} done={done} />
      ) : undefined}
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
  const [revision] = useState(list.revision);
  const [endpoint, setEndpoint] = useState("");
  const [name, setName] = useState("");
  const { call } = useSource();
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
          <TextField
            label="Private endpoint"
            required
            maxLength={100}
            placeholder="aws:vpce-08d2bf15fac5001c9"
            value={endpoint}
            set={setEndpoint}
          />
          <TextField label="Name" maxLength={250} value={name} set={setName} />
        </SimpleGrid>
      ) : undefined}
      <ReasonAndForce onReason={setReason} onForce={setForce} reason={reason} force={force}>
        Apply even if this locks out connected agents
      </ReasonAndForce>
    </FormDialog>
  );
}
