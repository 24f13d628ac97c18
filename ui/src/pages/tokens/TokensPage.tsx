import { Button, Flex, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { Page } from "../../data/types/page";
import type { Token, TokenCreated } from "../../data/types/tokens";
import { usePolled } from "../../data/usePolled";
import { DataTable, type Column } from "../../parts/DataTable";
import { ReasonDialog, type Action } from "../../parts/dialogs";
import { Expiry } from "../../parts/expiry";
import { WhenBy, Described, Prefix, When } from "../../parts/marks";
import { RowButton } from "../../parts/RowButton";
import { ShownOnce } from "../../parts/ShownOnce";
import { Nothing, Shown } from "../../parts/states";
import { CreateToken } from "./CreateToken";

/** The Deployment's agent tokens. A value is shown once, when it is made. */
export function TokensPage() {
  const { may, say } = useHere();
  const { call } = useSource();
  const polled = usePolled<Page<Token>>("/tokens?limit=1000", 5);
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<TokenCreated>();
  const [action, setAction] = useState<Action>();

  const remove = (token: Token): Action => ({
    title: `Delete token ${token.name}`,
    explained: "The token opens no more sessions, and the sessions that it opened end within seconds. Their running work is reported as lost.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/tokens/${token.id}`, { method: "DELETE", query: { reason } });
      say(`Token ${token.name} was deleted`);
      polled.refresh();
    },
  });
  const rotate = (token: Token): Action => ({
    title: `Rotate token ${token.name}`,
    explained:
      "The token gets a new value, which is shown once. The old value stays valid for the hours you choose, " +
      "so that agents keep running while you replace their token files. With 0 hours, the old value and its sessions end at once.",
    submit: "Rotate",
    number: { label: "Hours the old value stays valid", value: 24, most: 24 * 90 },
    run: async (reason, hours) => {
      const body = { overlap_hours: hours, reason };
      setMade(await call<TokenCreated>(`/tokens/${token.id}/rotate`, { method: "POST", body }));
      say(`Token ${token.name} has a new value`);
      polled.refresh();
    },
  });
  const columns: Column<Token>[] = [
    { name: "Name", cell: (token) => <Described name={token.name} description={token.description} /> },
    { name: "Site", cell: (token) => token.site },
    { name: "Kind", hideBelow: "md", cell: (token) => token.kind },
    { name: "Prefix", cell: (token) => <Prefix prefix={token.prefix} /> },
    { name: "Created", hideBelow: "lg", cell: (token) => <WhenBy at={token.created_at} by={token.created_by} /> },
    { name: "Last used", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) => (
        <HStack gap={2}>
          {may("deployment.agentTokens.update") ? (
            <RowButton label={`Rotate token ${token.name}`} onClick={() => setAction(rotate(token))}>
              Rotate
            </RowButton>
          ) : undefined}
          {may("deployment.agentTokens.delete") ? (
            <RowButton dangerous label={`Delete token ${token.name}`} onClick={() => setAction(remove(token))}>
              Delete
            </RowButton>
          ) : undefined}
        </HStack>
      ),
    },
  ];
  return (
    <>
      <Flex justify="space-between" align="center" gap={3} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="40em">
          An agent opens its session with a token. The plane stores a hash only, so you cannot view a value again.
        </Text>
        {may("deployment.agentTokens.create") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setCreating(true)}>
            Create token
          </Button>
        ) : undefined}
      </Flex>
      {made ? (
        <ShownOnce
          title={`Copy the value of token ${made.name} now.`}
          what="token value"
          value={made.token}
          onClose={() => setMade(undefined)}
        />
      ) : undefined}
      <Shown polled={polled} what="tokens">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No agent tokens">Create a token for each site.</Nothing>
          ) : (
            <DataTable label="Agent tokens" columns={columns} rows={page.items} id={(token) => token.id} />
          )
        }
      </Shown>
      <CreateToken
        open={creating}
        onClose={() => setCreating(false)}
        onCreated={(token) => {
          setMade(token);
          say(`Token ${token.name} was created`);
          polled.refresh();
        }}
      />
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}
