import { HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import type { Column } from "../../../parts/DataTable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { Expiry } from "../../../parts/expiry";
import { WhenBy, Described, Prefix, When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { ShownOnce } from "../../../parts/ShownOnce";
import { Nothing, Shown } from "../../../parts/states";
import type { ApiTokenCreated, ApiTokenView, RotateApiToken } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { ifMatch } from "../../data/platform";
import { useScopeNames } from "../../data/useScopeNames";
import { PagedTable } from "../../parts/PagedTable";
import { CreateApiToken } from "./CreateApiToken";
import { roleTitle } from "./roles";

/** API tokens, on the page of the organization and on a person's own page: the tokens that the caller may know of: all, or only the caller's own personal ones. */
export function ApiTokens({ personal, creating, onDone }: { personal: boolean; creating: boolean; onDone: () => void }) {
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
    { name: "Name", cell: (token) => <Described name={token.name} description={token.description} /> },
    { name: "Role", cell: (token) => <Text whiteSpace="nowrap">{isOfTerminal(token) ? "What its owner may" : roleTitle(token.role)}</Text> },
    { name: "Scope", cell: scope },
    ...(personal ? [] : [{ name: "Owner", hideBelow: "lg" as const, cell: (token: ApiTokenView) => token.owner || "–" }]),
    { name: "Prefix", hideBelow: "lg", cell: (token) => <Prefix prefix={token.prefix} /> },
    { name: "Created", hideBelow: "xl", cell: (token) => <WhenBy at={token.created_at} by={token.created_by} /> },
    { name: "Last used", hideBelow: "md", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) =>
        mayChange(token) ? (
          <HStack gap={2}>
            {isOfTerminal(token) ? undefined : (
              <RowButton label={`Rotate API token ${token.name}`} onClick={() => setAction(rotate(token))}>
                Rotate
              </RowButton>
            )}
            <RowButton dangerous label={`Delete API token ${token.name}`} onClick={() => setAction(remove(token))}>
              Delete
            </RowButton>
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
      {creating ? (
        <CreateApiToken
          onlyPersonal={personal}
          onClose={onDone}
          onCreated={(token) => {
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

/** A terminal keeps what it was given, and signs in again for another one. */
const isOfTerminal = (token: ApiTokenView) => token.role === "as_owner";
