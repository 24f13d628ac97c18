import { Checkbox, Field, Input, Text, Textarea } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";

import { useSource } from "../../../data/source";
import { FormDialog } from "../../../parts/dialogs";
import type { GroupMapping, SignInSettings, SignInSettingsView, SignInView } from "../../../../generated/platform";

/** Everything of sign-in at an identity provider. What is saved is a draft until it has been tested. */
export function SignInForm({
  before,
  onClose,
  onDone,
}: {
  before?: SignInSettingsView;
  onClose: () => void;
  onDone: () => void;
}) {
  const { call } = useSource();
  const [label, setLabel] = useState(before?.label ?? "");
  const [issuer, setIssuer] = useState(before?.issuer ?? "");
  const [clientId, setClientId] = useState(before?.client_id ?? "");
  const [secret, setSecret] = useState("");
  const [scopes, setScopes] = useState(before?.scopes ?? "openid profile email");
  const [groupsClaim, setGroupsClaim] = useState(before?.groups_claim ?? "groups");
  const [groupsFilter, setGroupsFilter] = useState(before?.groups_filter ?? "");
  const [mappings, setMappings] = useState(asLines(before?.group_teams ?? []));
  const [createTeams, setCreateTeams] = useState(before?.create_teams ?? false);
  const [allowed, setAllowed] = useState((before?.allowed_groups ?? []).join("\n"));
  const [acrAsked, setAcrAsked] = useState(before?.acr_values ?? "");
  const [acr, setAcr] = useState((before?.required_acr ?? []).join(" "));
  const [amr, setAmr] = useState((before?.required_amr ?? []).join(" "));
  const [refresh, setRefresh] = useState(String(before?.refresh_minutes ?? 10));
  const [again, setAgain] = useState(before?.sign_in_again_minutes ? String(before.sign_in_again_minutes) : "");
  const [reason, setReason] = useState("");
  const keepsSecret = before?.has_client_secret === true;
  return (
    <FormDialog
      title="Sign-in at an identity provider"
      open
      onClose={onClose}
      submit="Save draft"
      onSubmit={async () => {
        const body: SignInSettings = {
          label: label.trim() || "Identity provider",
          issuer: issuer.trim(),
          client_id: clientId.trim(),
          client_secret: secret === "" ? null : secret,
          scopes: scopes.trim(),
          groups_claim: groupsClaim.trim(),
          groups_filter: groupsFilter.trim(),
          group_teams: asMappings(mappings),
          create_teams: createTeams,
          allowed_groups: lines(allowed),
          acr_values: acrAsked.trim(),
          required_acr: words(acr),
          required_amr: words(amr),
          refresh_minutes: Number(refresh),
          sign_in_again_minutes: again === "" ? null : Number(again),
        };
        await call<SignInView>("/organization/sign-in", { method: "PUT", body, query: { reason } });
        onDone();
      }}
    >
      <Line name="Name on the button" help="“Continue with …”">
        <Input maxLength={50} placeholder="Identity provider" value={label} onChange={(event) => setLabel(event.target.value)} />
      </Line>
      <Line name="Issuer" required help="Its metadata is read from /.well-known/openid-configuration below it.">
        <Input
          required
          type="url"
          maxLength={250}
          placeholder="https://login.example.com/realms/main"
          value={issuer}
          onChange={(event) => setIssuer(event.target.value)}
        />
      </Line>
      <Line name="Client id" required>
        <Input required maxLength={250} value={clientId} onChange={(event) => setClientId(event.target.value)} />
      </Line>
      <Line name="Client secret" help={keepsSecret ? "Leave empty to keep the one that is stored." : "Stored encrypted, and never shown again."}>
        <Input type="password" autoComplete="off" maxLength={1000} value={secret} onChange={(event) => setSecret(event.target.value)} />
      </Line>
      <Line name="Scopes">
        <Input maxLength={250} value={scopes} onChange={(event) => setScopes(event.target.value)} />
      </Line>
      <Line name="Groups claim" help="Dots lead into objects: realm_access.roles. Empty: no groups.">
        <Input maxLength={250} value={groupsClaim} onChange={(event) => setGroupsClaim(event.target.value)} />
      </Line>
      <Line name="Groups filter" help="A regular expression. Groups that do not match are left out.">
        <Input maxLength={250} value={groupsFilter} onChange={(event) => setGroupsFilter(event.target.value)} />
      </Line>
      <Line name="Groups to teams" help="One group a line: data-engineers = engineering, on-call">
        <Textarea rows={4} value={mappings} onChange={(event) => setMappings(event.target.value)} />
      </Line>
      <Checkbox.Root
        size="sm"
        checked={createTeams}
        onCheckedChange={(changed: { checked: boolean | "indeterminate" }) => setCreateTeams(changed.checked === true)}
      >
        <Checkbox.HiddenInput />
        <Checkbox.Control />
        <Checkbox.Label>Create a team for each group that is not mapped</Checkbox.Label>
      </Checkbox.Root>
      <Line name="Groups that may sign in" help="One a line. Empty: everybody whom the provider lets in.">
        <Textarea rows={2} value={allowed} onChange={(event) => setAllowed(event.target.value)} />
      </Line>
      <Text fontWeight="semibold">Multi-factor sign-in</Text>
      <Line name="acr_values to ask for">
        <Input maxLength={250} value={acrAsked} onChange={(event) => setAcrAsked(event.target.value)} />
      </Line>
      <Line name="Required acr" help="Separated by spaces. A sign-in with none of them is refused.">
        <Input value={acr} onChange={(event) => setAcr(event.target.value)} />
      </Line>
      <Line name="Required amr" help="Separated by spaces: mfa otp">
        <Input value={amr} onChange={(event) => setAmr(event.target.value)} />
      </Line>
      <Text fontWeight="semibold">Sessions</Text>
      <Line name="Minutes between two questions to the provider" required help="Roles and a disabled account take effect after this at the latest.">
        <Input required type="number" min={1} max={720} value={refresh} onChange={(event) => setRefresh(event.target.value)} />
      </Line>
      <Line name="Sign in again before sensitive changes, after minutes" help="Empty: never">
        <Input type="number" min={1} max={720} value={again} onChange={(event) => setAgain(event.target.value)} />
      </Line>
      <Line name="Reason" help="Kept in the audit trail">
        <Input maxLength={1000} value={reason} onChange={(event) => setReason(event.target.value)} />
      </Line>
    </FormDialog>
  );
}

function Line({ name, help, required = false, children }: { name: string; help?: string; required?: boolean; children: ReactNode }) {
  return (
    <Field.Root required={required}>
      <Field.Label>{name}</Field.Label>
      {children}
      {help ? <Field.HelperText>{help}</Field.HelperText> : undefined}
    </Field.Root>
  );
}

const words = (text: string) => text.split(/\s+/u).filter(Boolean);

const lines = (text: string) =>
  text
    .split("\n")
    .map((each) => each.trim())
    .filter(Boolean);

const asLines = (mappings: GroupMapping[]) => mappings.map((each) => `${each.group} = ${each.teams.join(", ")}`).join("\n");

/** "group = team, team": the last "=" of the line divides it, because a group's name may have one. */
function asMappings(text: string): GroupMapping[] {
  return lines(text).map((line) => {
    const at = line.lastIndexOf("=");
    const teams = at === -1 ? "" : line.slice(at + 1);
    return {
      group: (at === -1 ? line : line.slice(0, at)).trim(),
      teams: teams
        .split(",")
        .map((each) => each.trim())
        .filter(Boolean),
    };
  });
}
