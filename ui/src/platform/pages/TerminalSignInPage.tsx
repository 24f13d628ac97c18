import { Alert, Button, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";
import { useSearchParams } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { Problem } from "../../parts/states";
import type { TerminalSignIn, TerminalSignInDecided } from "../../../generated/platform";
import { useMe } from "../data/permissions";
import { ask } from "../data/platform";
import { Frame } from "../parts/Frame";
import { useTitle } from "../parts/page";

/** A program of this computer asks to be signed in, by `tradewind login`. Any program can ask: the person decides. */
export function TerminalSignInPage() {
  const me = useMe();
  const [parameters] = useSearchParams();
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState<"allow" | "refuse">();
  useTitle("Sign in a terminal");
  const machine = parameters.get("machine") ?? "";
  const decide = async (allow: boolean) => {
    setBusy(allow ? "allow" : "refuse");
    setError(undefined);
    try {
      const body: TerminalSignIn = {
        allow,
        machine,
        redirect_uri: parameters.get("redirect_uri") ?? "",
        state: parameters.get("state") ?? "",
        code_challenge: parameters.get("code_challenge") ?? "",
      };
      const decided = await ask<TerminalSignInDecided>("/oauth/authorize", { method: "POST", body });
      globalThis.location.replace(decided.redirect_to); // the platform has checked it: it is on this computer
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(undefined);
    }
  };
  return (
    <Frame title="Sign in a terminal">
      <Text>
        A program on this computer{machine ? ` (${machine})` : ""} asks to act as <b>{me.name}</b> in {me.organization}, with all that you may do, for 12 hours.
      </Text>
      <Alert.Root status="warning">
        <Alert.Indicator />
        <Alert.Title>
          Allow it only if you have just run <code>tradewind login</code> yourself.
        </Alert.Title>
      </Alert.Root>
      <Text color="fg.muted">It ends earlier with <code>tradewind logout</code>, and when you sign out here.</Text>
      {error ? <Problem error={error} /> : undefined}
      <HStack gap={3}>
        <Button flex="1" colorPalette="brand" loading={busy === "allow"} disabled={busy !== undefined} onClick={() => void decide(true)}>
          Allow
        </Button>
        <Button flex="1" variant="outline" loading={busy === "refuse"} disabled={busy !== undefined} onClick={() => void decide(false)}>
          Refuse
        </Button>
      </HStack>
    </Frame>
  );
}
