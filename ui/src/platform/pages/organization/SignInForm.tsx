import { Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { FormDialog } from "../../../parts/dialogs";
import { CheckboxField, ReasonField, TextAreaField, TextField } from "../../../parts/fields";
import type { GroupMapping, SignInSettings, SignInSettingsView, SignInView } from "../../../../generated/platform";
import { linesOf } from "../../data/lines";

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
      title="Sign-in at the identity provider"
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
          allowed_groups: linesOf(allowed),
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
      <TextField
        label="Button label"
        maxLength={50}
        placeholder="Identity provider"
        help="“Continue with …”"
        value={label}
        set={setLabel}
      />
      <TextField
        label="Issuer"
        required
        type="url"
        maxLength={250}
        placeholder="https://login.example.com/realms/main"
        help="Its metadata is read from /.well-known/openid-configuration below it."
        value={issuer}
        set={setIssuer}
      />
      <TextField label="Client ID" required maxLength={250} value={clientId} set={setClientId} />
      <TextField
        label="Client secret"
        type="password"
        autoComplete="off"
        maxLength={1000}
        help={keepsSecret ? "Leave empty to keep the one that is stored." : "Stored encrypted, and never shown again."}
        value={secret}
        set={setSecret}
      />
      <TextField label="Scopes" maxLength={250} value={scopes} set={setScopes} />
      <TextField
        label="Groups claim"
        maxLength={250}
        help="Dots lead into objects: realm_access.roles. Leave empty for no groups."
        value={groupsClaim}
        set={setGroupsClaim}
      />
      <TextField
        label="Groups filter"
        maxLength={250}
        help="A regular expression. Groups that do not match are left out."
        value={groupsFilter}
        set={setGroupsFilter}
      />
      <TextAreaField
        label="Group mappings"
        rows={4}
        help="One group per line: data-engineers = engineering, on-call"
        value={mappings}
        set={setMappings}
      />
      <CheckboxField checked={createTeams} set={setCreateTeams}>
        Create a team for each group that is not mapped
      </CheckboxField>
      <TextAreaField
        label="Groups that may sign in"
        rows={2}
        help="One per line. Leave empty for all people whom the provider lets in."
        value={allowed}
        set={setAllowed}
      />
      <Text fontWeight="semibold">Multi-factor sign-in</Text>
      <TextField label="Requested acr_values" maxLength={250} value={acrAsked} set={setAcrAsked} />
      <TextField label="Required acr" help="Separated by spaces. A sign-in with none of them is refused." value={acr} set={setAcr} />
      <TextField label="Required amr" help="Separated by spaces: mfa otp" value={amr} set={setAmr} />
      <Text fontWeight="semibold">Sessions</Text>
      <TextField
        label="Refresh interval (minutes)"
        required
        type="number"
        min={1}
        max={720}
        help="The platform asks the provider about each session. Changed groups and disabled accounts take effect after this time at the latest."
        value={refresh}
        set={setRefresh}
      />
      <TextField
        label="Recent sign-in for sensitive changes (minutes)"
        type="number"
        min={1}
        max={720}
        help="Leave empty to ask for no new sign-in"
        value={again}
        set={setAgain}
      />
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}

const words = (text: string) => text.split(/\s+/u).filter(Boolean);

const asLines = (mappings: GroupMapping[]) => mappings.map((each) => `${each.group} = ${each.teams.join(", ")}`).join("\n");

/** "group = team, team": the last "=" of the line divides it, because a group's name may have one. */
function asMappings(text: string): GroupMapping[] {
  return linesOf(text).map((line) => {
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
