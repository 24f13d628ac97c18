import { useState } from "react";

import { useSource } from "../../data/source";
import type { TokenCreated, TokenKind } from "../../data/types/tokens";
import { FormDialog } from "../../parts/dialogs";
import { ExpiresField } from "../../parts/expiry";
import { DescriptionField, SelectField } from "../../parts/fields";
import { NameField } from "../../parts/NameField";

const KINDS: [TokenKind, string][] = [
  ["agent", "agent: opens sessions of agents"],
  ["scaler", "scaler: reads queue numbers and nothing else"],
  ["sentinel", "sentinel: reports for a sentinel"],
];

type Props = { open: boolean; onClose: () => void; onCreated: (token: TokenCreated) => void };

/** Asks for a token of a site. The site is kept for the next one. */
export function CreateToken({ open, onClose, onCreated }: Props) {
  const { call } = useSource();
  const [name, setName] = useState("");
  const [site, setSite] = useState("default");
  const [kind, setKind] = useState<TokenKind>("agent");
  const [description, setDescription] = useState("");
  const [days, setDays] = useState("365");
  return (
    <FormDialog
      title="Create agent token"
      open={open}
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body = { name: name.trim(), site: site.trim(), kind, description, expires_in_days: days ? Number(days) : null };
        onCreated(await call<TokenCreated>("/tokens", { method: "POST", body }));
        setName("");
        setDescription("");
      }}
    >
      <NameField name={name} set={setName} rule="ofAgents" />
      <NameField
        label="Site"
        name={site}
        set={setSite}
        rule="ofAgents"
        note="Agents of a site share its Dag bundles and get only its work. You cannot change the site later."
      />
      <SelectField label="Kind" optional options={KINDS} value={kind} set={(chosen) => setKind(chosen as TokenKind)} />
      <DescriptionField description={description} set={setDescription} />
      <ExpiresField days={days} set={setDays} />
    </FormDialog>
  );
}
