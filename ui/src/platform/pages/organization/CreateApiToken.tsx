import { useState } from "react";

import { useSource } from "../../../data/source";
import { FormDialog } from "../../../parts/dialogs";
import { ExpiresField } from "../../../parts/expiry";
import { CheckboxField, DescriptionField } from "../../../parts/fields";
import { NameField } from "../../../parts/NameField";
import type { ApiTokenCreated, NewApiToken } from "../../../../generated/platform";
import { useMe } from "../../data/permissions";
import { hasAllOf, mayGive, type Level } from "./roles";
import { RoleField, ScopeFields, scopeInRequest, targetOf, usePlaces, useRoles, type Scope } from "./scopes";

/** Asks for a token: where it holds, with which role, and until when. */
export function CreateApiToken({
  onlyPersonal,
  onClose,
  onCreated,
}: {
  onlyPersonal: boolean;
  onClose: () => void;
  onCreated: (token: ApiTokenCreated) => void;
}) {
  const me = useMe();
  const { call } = useSource();
  const places = usePlaces();
  const roles = useRoles().data?.roles ?? [];
  const levels = usableLevels(me.grants.map((each) => each.role));
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [days, setDays] = useState("90");
  const [personal, setPersonal] = useState(onlyPersonal);
  const [scope, setScope] = useState<Scope>({ level: levels[0] ?? "deployment" });
  const [role, setRole] = useState("");
  const isPersonal = personal && me.user !== null;
  return (
    <FormDialog
      title={onlyPersonal ? "Create personal token" : "Create API token"}
      open
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body: NewApiToken = {
          name: name.trim(),
          role,
          description,
          expires_in_days: days ? Number(days) : null,
          personal: isPersonal,
          ...scopeInRequest(scope),
        };
        onCreated(await call<ApiTokenCreated>("/api-tokens", { method: "POST", body }));
      }}
    >
      <NameField name={name} set={setName} />
      <ScopeFields
        scope={scope}
        onScope={(chosen) => {
          setScope(chosen);
          setRole("");
        }}
        places={places}
        levels={levels}
      />
      <RoleField
        roles={roles}
        level={scope.level}
        value={role}
        onRole={setRole}
        offered={(each) => (isPersonal ? hasAllOf(me, each, targetOf(scope)) : mayGive(me, each, targetOf(scope)))}
      />
      {onlyPersonal || me.user === null ? undefined : (
        <CheckboxField checked={personal} set={setPersonal}>
          Personal token: never has more permissions than you
        </CheckboxField>
      )}
      <DescriptionField description={description} set={setDescription} />
      <ExpiresField days={days} set={setDays} />
    </FormDialog>
  );
}

/** Levels on which the caller has a role, or below which it has one. */
function usableLevels(roles: string[]): Level[] {
  const all: Level[] = ["organization", "workspace", "deployment"];
  const highest = all.findIndex((level) => roles.some((role) => role.startsWith(`${level}_`)));
  return highest === -1 ? all : all.slice(highest);
}
