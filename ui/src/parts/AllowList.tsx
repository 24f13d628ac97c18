// A list of networks that may connect: the table, and the dialog that changes it.
import { Badge, SimpleGrid, Text } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";

import { DataTable, type Column } from "./DataTable";
import { FormDialog } from "./dialogs";
import { TextField } from "./fields";
import { RowButton } from "./RowButton";

export type Network = { network: string; description: string };

/** The list as it shall be. `adds`: with a network that the dialog asks for. */
export type ListChange = { title: string; networks: Network[]; adds: boolean };

export const additionTo = (networks: Network[]): ListChange => ({ title: "Add network", networks, adds: true });

type Props = { label: string; networks: Network[]; mayChange: boolean; onChange: (change: ListChange) => void };

/** The networks, each with a way to remove it. */
export function AllowList({ label, networks, mayChange, onChange }: Props) {
  const remove = ({ network }: Network) =>
    onChange({ title: `Remove ${network}`, networks: networks.filter((other) => other.network !== network), adds: false });
  const columns: Column<Network>[] = [
    { name: "Network", cell: (each) => <Text fontFamily="mono">{each.network}</Text> },
    { name: "Description", cell: (each) => each.description },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        mayChange ? (
          <RowButton dangerous label={`Remove ${each.network}`} onClick={() => remove(each)}>
            Remove
          </RowButton>
        ) : undefined,
    },
  ];
  return <DataTable label={label} columns={columns} rows={networks} id={(each) => each.network} />;
}

type DialogProps = {
  change: ListChange;
  suggested?: string; // a network to begin with
  first: string; // what it means that there is a network now
  last: string; // what it means that there is none any more
  save: (networks: Network[]) => Promise<void>;
  onClose: () => void;
  children: ReactNode; // fields of the change, such as its reason
};

/** Adds a network to the list or removes one, after it has said what the first and the last one mean. */
export function AllowListDialog({ change, suggested = "", first, last, save, onClose, children }: DialogProps) {
  const [network, setNetwork] = useState(suggested);
  const [description, setDescription] = useState("");
  return (
    <FormDialog
      title={change.title}
      open
      onClose={onClose}
      submit={change.adds ? "Add" : "Remove"}
      dangerous={!change.adds}
      onSubmit={() => save(change.adds ? [...change.networks, { network: network.trim(), description }] : change.networks)}
    >
      {change.adds ? (
        <SimpleGrid columns={{ base: 1, md: 2 }} gap={3}>
          <TextField
            label="Network"
            required
            maxLength={64}
            placeholder="203.0.113.0/24"
            help="An address, or a range in CIDR form."
            value={network}
            set={setNetwork}
          />
          <TextField label="Description" maxLength={250} value={description} set={setDescription} />
        </SimpleGrid>
      ) : undefined}
      {change.networks.length > 0 ? undefined : <Text>{change.adds ? first : last}</Text>}
      {children}
    </FormDialog>
  );
}

/** The reader's own address, as the API sees it. */
export function YourAddress({ address }: { address: string }) {
  return (
    <>
      Your address:{" "}
      <Badge variant="outline" textTransform="none">
        {address || "unknown"}
      </Badge>
    </>
  );
}
