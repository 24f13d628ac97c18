import { Alert, Box, Button, Flex, Heading, SimpleGrid, Text } from "@chakra-ui/react";
import { useState } from "react";

import type { Connectivity, RefusedTry } from "../../data/types/network";
import { usePolled } from "../../data/usePolled";
import { count, spaced } from "../../data/words";
import { DataTable, type Column } from "../../parts/DataTable";
import { TextField } from "../../parts/fields";
import { When } from "../../parts/marks";
import { Shown } from "../../parts/states";

const COLUMNS: Column<RefusedTry>[] = [
  { name: "Last try", cell: (each) => <When at={each.last_at} /> },
  {
    name: "From",
    cell: (each) => (
      <>
        <Text fontFamily="mono">{each.source}</Text>
        <Text color="fg.muted" fontSize="xs">
          {each.endpoint ? `by ${each.endpoint}` : "public"}
        </Text>
      </>
    ),
  },
  {
    name: "Reason",
    cell: (each) => (
      <>
        <Text>{spaced(each.code)}</Text>
        <Text color="fg.muted" fontSize="xs">
          {each.message}
          {each.version ? ` (protocol ${each.version})` : ""}
        </Text>
      </>
    ),
  },
  { name: "What to do", cell: (each) => <Text fontSize="sm">{each.remedy}</Text> },
  { name: "Tries", cell: (each) => String(each.tries) },
];

/** What the plane has seen of agents from an address or by an endpoint, refused ones included. */
export function CheckConnectivity() {
  const [written, setWritten] = useState({ source: "", endpoint: "" });
  const [asked, setAsked] = useState(written);
  const polled = usePolled<Connectivity>(`/connectivity?${new URLSearchParams(asked).toString()}`, 5);
  return (
    <Box as="section" mt={8} aria-labelledby="check-connectivity">
      <Heading as="h3" size="sm" mb={2} id="check-connectivity">
        Check connectivity
      </Heading>
      <Text color="fg.muted" fontSize="sm" maxW="44em" mb={3}>
        The last tries of agents that were refused. Name an address or a private endpoint to see what the plane saw of it.
      </Text>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          setAsked({ source: written.source.trim(), endpoint: written.endpoint.trim() });
        }}
      >
        <Flex gap={3} align="flex-end" wrap="wrap" mb={4}>
          <SimpleGrid columns={{ base: 1, md: 2 }} gap={3} flex="1" maxW="44em">
            <TextField
              label="Address"
              maxLength={64}
              placeholder="203.0.113.7"
              value={written.source}
              set={(source) => setWritten({ ...written, source })}
            />
            <TextField
              label="Private endpoint"
              maxLength={100}
              placeholder="azure:3735928559"
              value={written.endpoint}
              set={(endpoint) => setWritten({ ...written, endpoint })}
            />
          </SimpleGrid>
          <Button type="submit" size="sm" variant="outline">
            Check
          </Button>
        </Flex>
      </form>
      <Shown polled={polled} what="refused tries">
        {(found) => <Found found={found} />}
      </Shown>
    </Box>
  );
}

function Found({ found }: { found: Connectivity }) {
  const good = found.admitted !== false && found.refused.length === 0 && found.agents.length > 0;
  return (
    <>
      {found.verdict ? (
        <Alert.Root status={good ? "success" : "warning"} mb={4} alignItems="flex-start">
          <Alert.Indicator />
          <Alert.Content>
            <Alert.Title>{found.verdict}</Alert.Title>
            <Alert.Description>
              {found.remedy ? `What to do: ${found.remedy}. ` : ""}
              {found.admitted ? `The lists admit it: ${found.why}.` : ""}
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      ) : undefined}
      {found.refused.length ? (
        <DataTable
          label="Refused tries"
          columns={COLUMNS}
          rows={found.refused}
          id={(each) => `${each.source} ${each.endpoint} ${each.code}`}
        />
      ) : (
        <Text fontSize="sm" color="fg.muted">
          No try was refused within the last week
          {found.agents.length ? `; ${count(found.agents.length, "agent")} connected` : ""}.
        </Text>
      )}
    </>
  );
}
