import { Alert } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { FormDialog } from "../../../parts/dialogs";
import { SelectField, TextField } from "../../../parts/fields";
import { NameField } from "../../../parts/NameField";
import type { ClusterCreated, NewCluster } from "../../../../generated/platform";
import { RegionField } from "./RegionField";
import { usePlaces } from "./scopes";
import { WorkspacesField } from "./WorkspacesField";

/** Asks for a cluster: its kind, its addresses, and who may use it. */
export function AddCluster({ onClose, onAdded }: { onClose: () => void; onAdded: (cluster: ClusterCreated) => void }) {
  const { call } = useSource();
  const places = usePlaces();
  const [name, setName] = useState("");
  const [driver, setDriver] = useState<"kubernetes" | "local">("kubernetes");
  const [region, setRegion] = useState("");
  const [agentsHost, setAgentsHost] = useState("{id}.external.");
  const [peopleDomain, setPeopleDomain] = useState("{id}.");
  const [scheme, setScheme] = useState<"https" | "http">("https");
  const [workspaces, setWorkspaces] = useState<string[]>([]);
  return (
    <FormDialog
      title="Add cluster"
      open
      onClose={onClose}
      submit="Add"
      onSubmit={async () => {
        const body: NewCluster = {
          name: name.trim(),
          driver,
          region: region.trim(),
          scheme,
          agents_host: agentsHost.trim(),
          people_domain: peopleDomain.trim(),
          workspaces,
        };
        onAdded(await call<ClusterCreated>("/clusters", { method: "POST", body }));
      }}
    >
      <NameField name={name} set={setName} />
      <SelectField
        label="Driver"
        value={driver}
        set={(value) => setDriver(value === "local" ? "local" : "kubernetes")}
        options={[
          ["kubernetes", "Kubernetes: a namespace for each Deployment"],
          ["local", "Local: processes on one machine"],
        ]}
      />
      <RegionField region={region} set={setRegion} />
      <TextField
        label="Host for agents"
        required
        maxLength={180}
        help="Agents reach the cluster here. {id} is replaced by the cluster ID: {id}.external.example.com"
        value={agentsHost}
        set={setAgentsHost}
      />
      <TextField
        label="Domain for people"
        required
        maxLength={180}
        help="The Airflow of a Deployment is at a name below it: {id}.airflow.example.com"
        value={peopleDomain}
        set={setPeopleDomain}
      />
      <SelectField
        label="Scheme"
        value={scheme}
        set={(value) => setScheme(value === "http" ? "http" : "https")}
        options={[
          ["https", "https"],
          ["http", "http (trials on one machine)"],
        ]}
      />
      {scheme === "http" ? (
        <Alert.Root status="warning">
          <Alert.Indicator />
          <Alert.Title>Tokens of agents would go over the network in clear.</Alert.Title>
        </Alert.Root>
      ) : undefined}
      <WorkspacesField all={places.workspaces} chosen={workspaces} onChosen={setWorkspaces} />
    </FormDialog>
  );
}
