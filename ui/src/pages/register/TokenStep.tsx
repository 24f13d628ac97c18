import { Box, Button, HStack, Text } from "@chakra-ui/react";
import { useState, type FormEvent } from "react";

import { asRefused, type Refused } from "../../data/api";
import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { TokenCreated } from "../../data/types/tokens";
import { ExpiresField } from "../../parts/expiry";
import { ShownOnce } from "../../parts/ShownOnce";
import { Problem } from "../../parts/states";

/** A token of the site, for those who may create one. */
export function TokenStep({ name, site, problem }: { name: string; site: string; problem: string }) {
  const { may, say } = useHere();
  const { call } = useSource();
  const [days, setDays] = useState("365");
  const [made, setMade] = useState<TokenCreated>();
  const [error, setError] = useState<Refused>();
  if (!may("deployment.agentTokens.create")) {
    return (
      <Text mt={4}>
        Your role cannot create agent tokens. Ask an administrator of this Airflow for one, or use an existing token of
        the site.
      </Text>
    );
  }
  const create = async (event: FormEvent) => {
    event.preventDefault();
    setError(undefined);
    try {
      const body = { name, site, description: `for agent ${name}`, expires_in_days: days ? Number(days) : null };
      setMade(await call<TokenCreated>("/tokens", { method: "POST", body }));
      say(`Token ${name} was created`);
    } catch (refused) {
      setError(asRefused(refused));
    }
  };
  return (
    <Box mt={4}>
      {made ? (
        <ShownOnce title={`Copy the value of token ${made.name} now.`} what="token value" value={made.token} />
      ) : (
        <form onSubmit={(event) => void create(event)}>
          <HStack align="flex-end" gap={3} mb={2}>
            <Box w="12em">
              <ExpiresField days={days} set={setDays} />
            </Box>
            <Button type="submit" colorPalette="brand" disabled={problem !== ""}>
              Create token {name}
            </Button>
          </HStack>
        </form>
      )}
      {error ? <Problem error={error} /> : undefined}
      {made ? undefined : (
        <Text color="fg.muted" fontSize="sm">
          Or use an existing token of the site. Several agents may share one.
        </Text>
      )}
    </Box>
  );
}
