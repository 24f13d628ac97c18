import { Alert, Box, Button, Field, Flex, HStack, Input, NativeSelect, Text } from "@chakra-ui/react";
import { useState } from "react";

import { call } from "../data/api";
import { useHere } from "../data/context";
import type { Page, Token, TokenCreated } from "../data/types";
import { usePolled } from "../data/usePolled";
import { Copyable } from "../parts/Copyable";
import { DataTable, type Column } from "../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../parts/dialogs";
import { When } from "../parts/marks";
import { Nothing, Shown } from "../parts/states";

/** The Deployment's agent tokens. A value is shown once, when it is made. */
export function TokensPage() {
  const { may, say } = useHere();
  const polled = usePolled<Page<Token>>("/tokens?limit=1000", 5);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<TokenCreated>();
  const [action, setAction] = useState<Action>();

  const remove = (token: Token): Action => ({
    title: `Delete token ${token.name}`,
    explained: "It opens no session any more, and the sessions it opened end within seconds. What runs there is given up.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await call(`/tokens/${token.id}`, { method: "DELETE", query: { reason } });
      say(`Token ${token.name} is deleted`);
      polled.refresh();
    },
  });
  const rotate = (token: Token): Action => ({
    title: `Rotate token ${token.name}`,
    explained:
      "It gets another value, shown once. The present value stays good for the hours you choose, " +
      "so that agents go on while their token files are replaced; 0 ends it and its sessions at once.",
    submit: "Rotate",
    number: { label: "Hours the old value stays good", value: 24, most: 24 * 90 },
    run: async (reason, hours) => {
      const body = { overlap_hours: hours, reason };
      setMade(await call<TokenCreated>(`/tokens/${token.id}/rotate`, { method: "POST", body }));
      say(`Token ${token.name} has a new value`);
      polled.refresh();
    },
  });
  const columns: Column<Token>[] = [
    {
      name: "Token",
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
    { name: "Begins with", cell: (token) => <Text fontFamily="mono" fontSize="xs">{token.prefix}</Text> },
    { name: "Made", hideBelow: "lg", cell: (token) => <MadeBy token={token} /> },
    { name: "Last used", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) =>
        may("administer") ? (
          <HStack gap={2}>
            <Button
              size="xs"
              variant="outline"
              aria-label={`Rotate token ${token.name}`}
              onClick={() => setAction(rotate(token))}
            >
              Rotate
            </Button>
            <Button
              size="xs"
              variant="outline"
              colorPalette="red"
              aria-label={`Delete token ${token.name}`}
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
      <Flex justify="space-between" align="center" gap={3} mb={4} wrap="wrap">
        <Text color="fg.muted" fontSize="sm" maxW="40em">
          An agent opens its session with one. The plane keeps a hash; nobody can read a value again.
        </Text>
        {may("administer") ? (
          <Button size="sm" colorPalette="brand" onClick={() => setMaking(true)}>
            Make a token
          </Button>
        ) : undefined}
      </Flex>
      {made ? <Value made={made} onClose={() => setMade(undefined)} /> : undefined}
      <Shown polled={polled} what="tokens">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="There are no agent tokens" />
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
          say(`Token ${token.name} is made`);
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
          its old value ends <When at={old} />
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
        <Alert.Title>The value of token {made.name}. It is shown this once: copy it now.</Alert.Title>
        <Alert.Description w="100%" mt={2}>
          <Copyable what="token value" text={made.token} />
        </Alert.Description>
      </Alert.Content>
      {onClose ? (
        <Button size="sm" variant="outline" onClick={onClose}>
          I have it
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
  const [name, setName] = useState("");
  const [site, setSite] = useState("default");
  const [description, setDescription] = useState("");
  const [days, setDays] = useState("365");
  return (
    <FormDialog
      title="Make an agent token"
      open={open}
      onClose={onClose}
      submit="Make"
      onSubmit={async () => {
        const body = { name: name.trim(), site: site.trim(), description, expires_in_days: days ? Number(days) : null };
        onMade(await call<TokenCreated>("/tokens", { method: "POST", body }));
        setName("");
        setDescription("");
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input required maxLength={250} value={name} onChange={(event) => setName(event.target.value)} />
        <Field.HelperText>Of the agents it is for. Letters, digits and . _ @ : / -</Field.HelperText>
      </Field.Root>
      <Field.Root required>
        <Field.Label>Site</Field.Label>
        <Input required maxLength={250} value={site} onChange={(event) => setSite(event.target.value)} />
        <Field.HelperText>
          Its agents share the site's Dag bundles, and get the work of no other site. It cannot be changed.
        </Field.HelperText>
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
