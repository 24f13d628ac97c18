import { Alert, Box, Button, Separator, Text, VStack } from "@chakra-ui/react";
import { useState, type FormEvent } from "react";
import { useSearchParams } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { TextField } from "../../parts/fields";
import { Loading, Problem } from "../../parts/states";
import type { SignIn, SignInOptions, SignInRefusal, SignInSessionView } from "../../../generated/platform";
import { ask } from "../data/platform";
import { safePath } from "../data/safePath";
import { useAnswer } from "../data/useAnswer";
import { Frame } from "../parts/Frame";
import { useTitle } from "../parts/page";

/** The ways to sign in that the platform offers: the identity provider first, name and password below it. */
export function SignInPage() {
  const [parameters] = useSearchParams();
  const { data: options, error } = useAnswer<SignInOptions>("/sign-in/options");
  const next = safePath(parameters.get("next"));
  useTitle("Sign in");
  const providers = options?.methods.filter((each) => each.kind !== "password") ?? [];
  const password = options?.methods.find((each) => each.kind === "password");
  return (
    <Frame title={options ? `Sign in to ${options.organization}` : "Sign in"}>
      {parameters.has("signed-out") ? (
        <Alert.Root status="info">
          <Alert.Indicator />
          <Alert.Title>You are signed out.</Alert.Title>
        </Alert.Root>
      ) : undefined}
      {parameters.get("refused") ? <WasRefused reason={parameters.get("refused") ?? ""} /> : undefined}
      {error ? <Problem error={error} /> : options ? undefined : <Loading what="ways to sign in" />}
      {options && !options.has_administrator ? (
        <Alert.Root status="info">
          <Alert.Indicator />
          <Alert.Content>
            <Alert.Title>No administrator yet</Alert.Title>
            <Alert.Description>
              Open the link that the platform printed when it started. It creates the first administrator. To print a new link, run{" "}
              <code>tradewind platform admin sign-in-link</code> on the platform's machine.
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      ) : undefined}
      {providers.map((each) => (
        <Button key={each.url} asChild colorPalette="brand" w="100%">
          <a href={withNext(each.url, next)}>Continue with {each.label}</a>
        </Button>
      ))}
      {providers.length && password ? (
        <Box position="relative" textAlign="center">
          <Separator position="absolute" top="50%" w="100%" />
          <Text as="span" position="relative" bg="bg.panel" px={2} color="fg.muted" fontSize="xs">
            or
          </Text>
        </Box>
      ) : undefined}
      {password ? <ByPassword url={password.url} next={next} quiet={providers.length > 0} /> : undefined}
    </Frame>
  );
}

/** Why a sign-in at the identity provider came to nothing, in the platform's own sentence: an address is no place for text. */
function WasRefused({ reason }: { reason: string }) {
  const found = useAnswer<SignInRefusal[]>("/sign-in/refusals").data?.find((each) => each.reason === reason);
  return (
    <Alert.Root status="error">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{found?.message ?? "The sign-in was refused."}</Alert.Title>
        <Alert.Description>{found?.remedy ?? "Try again. If it is refused again, ask an owner of the organization."}</Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}

const withNext = (url: string, next: string) => `${url}${url.includes("?") ? "&" : "?"}next=${encodeURIComponent(next)}`;

function ByPassword({ url, next, quiet }: { url: string; next: string; quiet: boolean }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const body: SignIn = { name, password };
      await ask<SignInSessionView>(url, { method: "POST", body });
      globalThis.location.assign(next); // the whole page anew: nothing of a session before is left in it
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={4}>
        <TextField label="Name" required autoComplete="username" autoCapitalize="none" value={name} set={setName} />
        <TextField label="Password" required type="password" autoComplete="current-password" value={password} set={setPassword} />
        {error ? (
          <Alert.Root status="error">
            <Alert.Indicator />
            <Alert.Content>
              <Alert.Title>Sign-in failed</Alert.Title>
              <Alert.Description>
                {error.message}. {error.remedy}
              </Alert.Description>
            </Alert.Content>
          </Alert.Root>
        ) : undefined}
        <Button type="submit" loading={busy} {...(quiet ? { variant: "outline" as const } : { colorPalette: "brand" })}>
          Sign in
        </Button>
      </VStack>
    </form>
  );
}
