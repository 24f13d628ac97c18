// API tokens as a table, with what can be done to one: on the page of the organization and on a person's own page.
import { Box, Button, Checkbox, Field, HStack, Input, Text } from "@chakra-ui/react";
import { useState } from "react";

import type { Page } from "../../data/types";
import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { Expires } from "../../../pages/TokensPage";
import type { Column } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Nothing, Shown } from "../../../parts/states";
import type { ApiTokenCreated, ApiTokenView, NewApiToken, RotateApiToken } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { useScopeNames } from "../../data/useScopeNames";
import { PagedTable } from "../../parts/PagedTable";
import { hasAllOf, mayGive, roleTitle, type Level } from "./roles";
import { RoleField, ScopeFields, scopeInRequest, targetOf, usePlaces, useRoles, type Scope } from "./scopes";
import { ShownOnce } from "./ShownOnce";

/** The tokens that the caller may know of: all, or only the caller's own personal ones. */
export function ApiTokens({ personal, making, onMade }: { personal: boolean; making: boolean; onMade: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const scope = useScopeNames();
  const polled = usePolled<Page<ApiTokenView>>("/api-tokens?limit=1000", 10);
  const [made, setMade] = useState<ApiTokenCreated>();
  const [action, setAction] = useState<Action>();

  const mayChange = (token: ApiTokenView) =>
    (token.owner !== "" && token.owner === me.name) ||
    allows(me, "apiTokens.update", {
      ...(token.workspace === null ? {} : { workspace: token.workspace }),
      ...(token.deployment === null ? {} : { deployment: token.deployment }),
    });
  const rotate = (token: ApiTokenView): Action => ({
    title: `Rotate API token ${token.name}`,
    explained:
      "The token gets a new value, which is shown once. The old value stays valid for the minutes you choose, so that " +
      "you can replace it where it is used. With 0 minutes, the old value ends at once.",
    submit: "Rotate",
    number: { label: "Minutes the old value stays valid", value: 60, most: 10_080 },
    run: async (reason, minutes) => {
      const body: RotateApiToken = { overlap_minutes: minutes };
      const ask = { method: "POST", body, query: { reason }, headers: ifMatch(token.revision) } as const;
      setMade(await call<ApiTokenCreated>(`/api-tokens/${token.id}/rotate`, ask));
      say(`API token ${token.name} has a new value`);
      polled.refresh();
    },
  });
  const remove = (token: ApiTokenView): Action => ({
    title: `Delete API token ${token.name}`,
    explained: "The token opens nothing from then on: neither the platform nor a Deployment.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/api-tokens/${token.id}`, { method: "DELETE", query: { reason }, headers: ifMatch(token.revision) });
      say(`API token ${token.name} was deleted`);
      polled.refresh();
    },
  });
  const columns: Column<ApiTokenView>[] = [
    {
      name: "Name",
      cell: (token) => (
        <Box>
          <Text fontWeight="semibold">{token.name}</Text>
          <Text color="fg.muted" fontSize="xs">
            {token.description}
          </Text>
        </Box>
      ),
    },
    { name: "Role", cell: (token) => <Text whiteSpace="nowrap">{isOfTerminal(token) ? "What its owner may" : roleTitle(token.role)}</Text> },
    { name: "Scope", cell: scope },
    ...(personal ? [] : [{ name: "Owner", hideBelow: "lg" as const, cell: (token: ApiTokenView) => token.owner || "–" }]),
    {
      name: "Prefix",
      hideBelow: "lg",
      cell: (token) => (
        <Text fontFamily="mono" fontSize="xs">
          {token.prefix}
        </Text>
      ),
    },
    {
      name: "Created",
      hideBelow: "xl",
      cell: (token) => (
        <Box>
          <When at={token.created_at} />
          <Text color="fg.muted" fontSize="xs">
            by {token.created_by}
          </Text>
        </Box>
      ),
    },
    { name: "Last used", hideBelow: "md", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) =>
        mayChange(token) ? (
          <HStack gap={2}>
            {isOfTerminal(token) ? undefined : (
              <Button size="xs" variant="outline" aria-label={`Rotate API token ${token.name}`} onClick={() => setAction(rotate(token))}>
                Rotate
              </Button>
            )}
            <Button
              size="xs"
              variant="outline"
              colorPalette="red"
              aria-label={`Delete API token ${token.name}`}
              onClick={() => setAction(remove(token))}
            >
              Delete
            </Button>
          </HStack>
        ) : undefined,
    },
  ];
  return (
    <>
      {made ? (
        <ShownOnce
          title={`Copy the value of API token ${made.name} now.`}
          what="token value"
          value={made.token}
          onClose={() => setMade(undefined)}
        />
      ) : undefined}
      <Shown polled={polled} what="API tokens">
        {(page) => {
          const rows = personal ? page.items.filter((each) => each.owner === me.name) : page.items;
          return rows.length === 0 ? (
            <Nothing title={personal ? "No personal tokens" : "No API tokens"}>
              A script, a pipeline or the command line uses a token to ask the platform and its Deployments.
            </Nothing>
          ) : (
            <PagedTable label="API tokens" columns={columns} rows={rows} id={(token) => token.id} />
          );
        }}
      </Shown>
      {making ? (
        <NewToken
          onlyPersonal={personal}
          onClose={onMade}
          onMade={(token) => {
            setMade(token);
            say(`API token ${token.name} was created`);
            polled.refresh();
          }}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function Expiry({ token }: { token: ApiTokenView }) {
  const over = token.expires_at !== null && Date.parse(token.expires_at) <= Date.now();
  const old = token.old_values_until;
  return (
    <Box>
      {over ? (
        <Text color="fg.error">
          expired <When at={token.expires_at} />
        </Text>
      ) : (
        <When at={token.expires_at} />
      )}
      {old !== null && Date.parse(old) > Date.now() ? (
        <Text color="fg.muted" fontSize="xs">
          old value ends <When at={old} />
        </Text>
      ) : undefined}
    </Box>
  );
}

function NewToken({
  onlyPersonal,
  onClose,
  onMade,
}: {
  onlyPersonal: boolean;
  onClose: () => void;
  onMade: (token: ApiTokenCreated) => void;
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
        onMade(await call<ApiTokenCreated>("/api-tokens", { method: "POST", body }));
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input
          required
          maxLength={50}
          pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?"
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Field.HelperText>Lower-case letters, digits and hyphens</Field.HelperText>
      </Field.Root>
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
        <Checkbox.Root
          size="sm"
          checked={personal}
          onCheckedChange={(changed: { checked: boolean | "indeterminate" }) => setPersonal(changed.checked === true)}
        >
          <Checkbox.HiddenInput />
          <Checkbox.Control />
          <Checkbox.Label>Personal: never more than you have yourself at the moment</Checkbox.Label>
        </Checkbox.Root>
      )}
      <Field.Root>
        <Field.Label>Description</Field.Label>
        <Input maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field.Root>
      <Expires days={days} setDays={setDays} />
    </FormDialog>
  );
}

/** A terminal keeps what it was given, and signs in again for another one. */
const isOfTerminal = (token: ApiTokenView) => token.role === "as_owner";

/** Levels on which the caller has a role, or below which it has one. */
function usableLevels(roles: string[]): Level[] {
  const all: Level[] = ["organization", "workspace", "deployment"];
  const highest = all.findIndex((level) => roles.some((role) => role.startsWith(`${level}_`)));
  return highest === -1 ? all : all.slice(highest);
}
