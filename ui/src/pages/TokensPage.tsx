import { Alert, Box, Button, Field, Flex, HStack, Input, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useHere } from "../data/context";
import { useSource } from "../data/source";
import type { Page, Token, TokenCreated, TokenKind } from "../data/types";
import { usePolled } from "../data/usePolled";
import { Copyable } from "../parts/Copyable";
import { DataTable, type Column } from "../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../parts/dialogs";
import { When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** The Deployment's agent tokens. A value is shown once, when it is made. */
export function TokensPage() {
  const { may, say } = useHere();
  const { call } = useSource();
  const polled = usePolled<Page<Token>>("/tokens?limit=1000", 5);
  const [making, setMaking] = useState(false);
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
    { name: "Site", cell: (token) => token.site },
    { name: "Kind", hideBelow: "md", cell: (token) => token.kind },
    { name: "Prefix", cell: (token) => <Text fontFamily="mono" fontSize="xs">{token.prefix}</Text> },
    { name: "Created", hideBelow: "lg", cell: (token) => <MadeBy token={token} /> },
    { name: "Last used", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) => (
        <HStack gap={2}>
          {may("deployment.agentTokens.update") ? (
            <Button
              size="xs"
              variant="outline"
              aria-label={`Rotate token ${token.name}`}
              onClick={() => setAction(rotate(token))}
            >
              Rotate
            </Button>
          ) : undefined}
          {may("deployment.agentTokens.delete") ? (
            <Button
              size="xs"
              variant="outline"
              colorPalette="red"
              aria-label={`Delete token ${token.name}`}
              onClick={() => setAction(remove(token))}
            >
              Delete
            </Button>
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
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Create token
          </Button>
        ) : undefined}
      </Flex>
      {made ? <Value made={made} onClose={() => setMade(undefined)} /> : undefined}
      <Shown polled={polled} what="tokens">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No agent tokens" />
          ) : (
            <DataTable label="Agent tokens" columns={columns} rows={page.items} id={(token) => token.id} />
          )
        }
      </Shown>
      <NewToken
        open={making}
        onClose={() => setMaking(false)}
        onMade={(token) => {
          setMade(token);
          say(`Token ${token.name} was created`);
          polled.refresh();
        }}
      />
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function MadeBy({ token }: { token: Token }) {
  return (
    <Box>
      <When at={token.created_at} />
      <Text color="fg.muted" fontSize="xs">
        by {token.created_by}
      </Text>
    </Box>
  );
}

function Expiry({ token }: { token: Token }) {
  const over = token.expires_at !== null && Date.parse(token.expires_at) < Date.now();
  const old = token.old_values_until;
  if (!over && old !== null && Date.parse(old) > Date.now()) {
    return (
      <Box>
        <When at={token.expires_at} />
        <Text color="fg.muted" fontSize="xs">
          old value expires <When at={old} />
        </Text>
      </Box>
    );
  }
  return over ? (
    <Text color="fg.error">
      expired <When at={token.expires_at} />
    </Text>
  ) : (
    <When at={token.expires_at} />
  );
}

/** The value of a new token: the only time it is seen. */
export function Value({ made, onClose }: { made: TokenCreated; onClose?: () => void }) {
  return (
    <Alert.Root status="success" mb={4} alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>Copy the value of token {made.name} now. It is shown only once.</Alert.Title>
        <Alert.Description w="100%" mt={2}>
          <Copyable what="token value" text={made.token} />
        </Alert.Description>
      </Alert.Content>
      {onClose ? (
        <Button size="sm" variant="outline" onClick={onClose}>
          Done
        </Button>
      ) : undefined}
    </Alert.Root>
  );
}

function NewToken({
  open,
  onClose,
  onMade,
}: {
  open: boolean;
  onClose: () => void;
  onMade: (token: TokenCreated) => void;
}) {
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
        onMade(await call<TokenCreated>("/tokens", { method: "POST", body }));
        setName("");
        setDescription("");
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input required maxLength={250} value={name} onChange={(event) => setName(event.target.value)} />
        <Field.HelperText>Letters, digits and . _ @ : / -</Field.HelperText>
      </Field.Root>
      <Field.Root required>
        <Field.Label>Site</Field.Label>
        <Input required maxLength={250} value={site} onChange={(event) => setSite(event.target.value)} />
        <Field.HelperText>
          Agents of a site share its Dag bundles and get only its work. You cannot change the site later.
        </Field.HelperText>
      </Field.Root>
      <Field.Root>
        <Field.Label>Kind</Field.Label>
        <NativeSelect.Root>
          <NativeSelect.Field
            value={kind}
            onChange={(event: { target: { value: string } }) => setKind(event.target.value as TokenKind)}
          >
            <option value="agent">agent: opens sessions of agents</option>
            <option value="scaler">scaler: reads queue numbers and nothing else</option>
            <option value="sentinel">sentinel: reports for a sentinel</option>
          </NativeSelect.Field>
          <NativeSelect.Indicator />
        </NativeSelect.Root>
      </Field.Root>
      <Field.Root>
        <Field.Label>Description</Field.Label>
        <Input maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field.Root>
      <Expires days={days} setDays={setDays} />
    </FormDialog>
  );
}

const CHOICES: [string, string][] = [
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
  ["1095", "in three years"],
  ["", "never"],
];

export function Expires({ days, setDays }: { days: string; setDays: (days: string) => void }) {
  return (
    <Field.Root>
      <Field.Label>Expires</Field.Label>
      <NativeSelect.Root>
        <NativeSelect.Field
          value={days}
          onChange={(event: { target: { value: string } }) => setDays(event.target.value)}
        >
          {CHOICES.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
    </Field.Root>
  );
}
