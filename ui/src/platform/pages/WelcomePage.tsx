import { Button, Field, Input, Text, VStack } from "@chakra-ui/react";
import { useEffect, useState, type FormEvent } from "react";
import { useSearchParams } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { moment } from "../../data/words";
import { Loading, Problem } from "../../parts/states";
import type { LinkAsk, LinkView, SignInSessionView, Welcome } from "../../../generated/platform";
import { ask } from "../data/platform";
import { useTitle } from "../parts/page";
import { Doormat } from "./SignInPage";

const LEAST = 12;

/** A one-time link: the first administrator chooses a name and a password, or a person gets in when nothing else works. */
export function WelcomePage() {
  const [parameters] = useSearchParams();
  const [code] = useState(parameters.get("code") ?? "");
  const [link, setLink] = useState<LinkView>();
  const [error, setError] = useState<Refused>();
  useTitle("Welcome");
  useEffect(() => {
    const body: LinkAsk = { code };
    ask<LinkView>("/welcome/link", { method: "POST", body }).then(setLink, (problem: unknown) => setError(asRefused(problem)));
    // the code is a credential: it does not stay in the address bar or in the browser's history
    globalThis.history.replaceState(null, "", "/welcome");
  }, [code]);
  const use = async (body: Welcome) => {
    await ask<SignInSessionView>("/welcome", { method: "POST", body });
    globalThis.location.assign("/");
  };
  if (link === undefined) {
    return <Doormat title="Welcome">{error ? <Problem error={error} /> : <Loading what="the link" />}</Doormat>;
  }
  return link.kind === "first_administrator" ? (
    <Doormat title="Create the first administrator">
      <Text color="fg.muted">
        This link works once, until {moment(link.expires_at)}. The administrator owns the organization and can invite others.
      </Text>
      <First onSubmit={(name, password) => use({ code, name, password })} />
    </Doormat>
  ) : (
    <Doormat title="Emergency access">
      <Text>
        This link signs you in as <b>{link.name}</b> for 15 minutes, once. It is for when the usual way to sign in does not work. Its use is
        recorded in the audit trail.
      </Text>
      <Using onUse={() => use({ code })} name={link.name} />
    </Doormat>
  );
}

function First({ onSubmit }: { onSubmit: (name: string, password: string) => Promise<void> }) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const short = password !== "" && password.length < LEAST;
  const differs = again !== "" && again !== password;
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (password.length < LEAST || again !== password) {
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      await onSubmit(name.trim().toLowerCase(), password);
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={4}>
        <Field.Root required>
          <Field.Label>Name</Field.Label>
          <Input
            required
            autoComplete="username"
            autoCapitalize="none"
            maxLength={50}
            pattern="[a-zA-Z0-9]([a-zA-Z0-9\-]*[a-zA-Z0-9])?"
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <Field.HelperText>Letters, digits and hyphens</Field.HelperText>
        </Field.Root>
        <Field.Root required invalid={short}>
          <Field.Label>Password</Field.Label>
          <Input
            required
            type="password"
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
          {short ? (
            <Field.ErrorText>{LEAST - password.length} more characters</Field.ErrorText>
          ) : (
            <Field.HelperText>{LEAST} characters at least</Field.HelperText>
          )}
        </Field.Root>
        <Field.Root required invalid={differs}>
          <Field.Label>Password again</Field.Label>
          <Input required type="password" autoComplete="new-password" value={again} onChange={(event) => setAgain(event.target.value)} />
          {differs ? <Field.ErrorText>The two passwords differ</Field.ErrorText> : undefined}
        </Field.Root>
        {error ? <Problem error={error} /> : undefined}
        <Button type="submit" colorPalette="brand" loading={busy}>
          Create administrator
        </Button>
      </VStack>
    </form>
  );
}

function Using({ onUse, name }: { onUse: () => Promise<void>; name: string }) {
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const use = () => {
    setBusy(true);
    onUse().catch((problem: unknown) => {
      setError(asRefused(problem));
      setBusy(false);
    });
  };
  return (
    <>
      {error ? <Problem error={error} /> : undefined}
      <Button colorPalette="brand" loading={busy} onClick={use}>
        Sign in as {name}
      </Button>
    </>
  );
}
