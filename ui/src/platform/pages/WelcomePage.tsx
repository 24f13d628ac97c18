import { Button, Text, VStack } from "@chakra-ui/react";
import { useEffect, useState, type FormEvent } from "react";
import { useSearchParams } from "react-router-dom";

import { asRefused, type Refused } from "../../data/api";
import { moment } from "../../data/words";
import { NameField } from "../../parts/NameField";
import { Loading, Problem } from "../../parts/states";
import type { LinkAsk, LinkView, SignInSessionView, Welcome } from "../../../generated/platform";
import { ask } from "../data/platform";
import { Frame } from "../parts/Frame";
import { useTitle } from "../parts/page";
import { isGood, PasswordFields } from "../parts/PasswordFields";

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
    return <Frame title="Welcome">{error ? <Problem error={error} /> : <Loading what="the link" />}</Frame>;
  }
  return link.kind === "first_administrator" ? (
    <Frame title="Create the first administrator">
      <Text color="fg.muted">
        This link works once, until {moment(link.expires_at)}. The administrator owns the organization and can invite others.
      </Text>
      <First onSubmit={(name, password) => use({ code, name, password })} />
    </Frame>
  ) : (
    <Frame title="Emergency access">
      <Text>
        This link signs you in as <b>{link.name}</b> for 15 minutes, once. It is for when the usual way to sign in does not work. Its use is
        recorded in the audit trail.
      </Text>
      <Using onUse={() => use({ code })} name={link.name} />
    </Frame>
  );
}

function First({ onSubmit }: { onSubmit: (name: string, password: string) => Promise<void> }) {
  const [name, setName] = useState("");
  const [entered, setEntered] = useState({ password: "", again: "" });
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);
  const send = async (event: FormEvent) => {
    event.preventDefault();
    if (!isGood(entered)) {
      return;
    }
    setBusy(true);
    setError(undefined);
    try {
      await onSubmit(name.trim().toLowerCase(), entered.password);
    } catch (problem) {
      setError(asRefused(problem));
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={4}>
        <NameField name={name} set={setName} rule="user" autoComplete="username" />
        <PasswordFields label="Password" entered={entered} set={setEntered} />
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
