import { Button, HStack, SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { Copyable } from "../../../parts/Copyable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { SignInSettingsView, SignInView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { PageTop, Panel } from "../../parts/page";
import { AllowedAddressesPanel } from "./AllowedAddressesPanel";
import { ProvisioningPanel } from "./ProvisioningPanel";
import { SignInForm } from "./SignInForm";
import { SettingsFacts, TestResult } from "./signInSettings";

const PATH = "/organization/sign-in";

/** How people sign in: the settings in use, a draft with its test, and what the identity provider has to know. */
export function AuthenticationPage() {
  const polled = usePolled<SignInView>(PATH, 10);
  return (
    <Shown polled={polled} what="sign-in settings">
      {(settings) => <Settings settings={settings} refresh={polled.refresh} />}
    </Shown>
  );
}

function Settings({ settings, refresh }: { settings: SignInView; refresh: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const [editing, setEditing] = useState(false);
  const [action, setAction] = useState<Action>();
  const mayChange = allows(me, "organization.update");
  const { active, draft } = settings;
  const passed = draft?.test !== null && draft?.test !== undefined && draft.test.refused === "";

  const activate: Action = {
    title: "Activate the draft",
    explained: "From now on, people sign in with these settings. Open sessions stay.",
    submit: "Activate",
    run: async (reason) => {
      await call<SignInView>(`${PATH}/activate`, { method: "POST", query: { reason } });
      say("The settings are active");
      refresh();
    },
  };
  const turnOff: Action = {
    title: "Turn off sign-in at the identity provider",
    explained:
      "Sessions that began there end. People without a password here cannot sign in. " +
      "An administrator of the platform's machine can still get a one-time link.",
    submit: "Turn off",
    dangerous: true,
    run: async (reason) => {
      await call(PATH, { method: "DELETE", query: { reason } });
      say("Sign-in at the identity provider is off");
      refresh();
    },
  };
  return (
    <>
      <PageTop title="Authentication" help="People sign in at the organization's identity provider (OpenID Connect). Settings are used only after a test sign-in.">
        {mayChange ? (
          <>
            <Button size="sm" colorPalette="brand" variant={active || draft ? "outline" : "solid"} onClick={() => setEditing(true)}>
              {active || draft ? "Edit" : "Set up"}
            </Button>
            {active ? (
              <Button size="sm" variant="outline" colorPalette="red" onClick={() => setAction(turnOff)}>
                Turn off
              </Button>
            ) : undefined}
          </>
        ) : undefined}
      </PageTop>
      <SimpleGrid columns={{ base: 1, xl: 2 }} gap={4} alignItems="start">
        {draft ? (
          <Panel title="Draft">
            <Text mb={3}>
              {passed
                ? "The test sign-in went well. Activate the draft to use it."
                : "Sign in with the draft in your own browser. It affects no other person until you activate it."}
            </Text>
            {mayChange ? (
              <HStack mb={4} gap={2}>
                {settings.test_url ? (
                  <Button asChild size="sm" variant={passed ? "outline" : "solid"} colorPalette="brand">
                    <a href={settings.test_url}>Test sign-in</a>
                  </Button>
                ) : undefined}
                <Button size="sm" colorPalette="brand" variant={passed ? "solid" : "outline"} disabled={!passed} onClick={() => setAction(activate)}>
                  Activate
                </Button>
              </HStack>
            ) : undefined}
            {draft.test ? <TestResult test={draft.test} /> : undefined}
            <SettingsFacts settings={draft} />
          </Panel>
        ) : undefined}
        <VStack align="stretch" gap={4}>
          <Panel title="Active settings">
            {active ? (
              <SettingsFacts settings={active} />
            ) : (
              <Text>No identity provider. People sign in by name and password, as local administrators.</Text>
            )}
          </Panel>
          <Panel title="For the identity provider">
            <Text mb={3}>Register a confidential client for the authorization code flow, with these addresses:</Text>
            <Address name="Redirect URI" value={settings.redirect_uri} />
            <Address name="Back-channel logout URL" value={settings.back_channel_logout_uri} />
            <Address name="Post-logout redirect URI" value={settings.post_logout_redirect_uri} />
          </Panel>
          <ProvisioningPanel />
          <AllowedAddressesPanel />
          <Panel title="Emergency access">
            <Text mb={2}>If sign-in fails, run this command on the platform's machine. Its link signs a user in once, for 15 minutes:</Text>
            <Copyable what="command for a sign-in link" text={`tradewind platform admin sign-in-link ${me.name}`} />
            <Text mt={2} color="fg.muted">
              Each use is in the audit trail, and pages say so while it lasts.
            </Text>
          </Panel>
        </VStack>
      </SimpleGrid>
      {editing ? (
        <SignInForm
          {...(draft ?? active ? { before: (draft ?? active) as SignInSettingsView } : {})}
          onClose={() => setEditing(false)}
          onDone={() => {
            say("The draft was saved: test it");
            refresh();
          }}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

function Address({ name, value }: { name: string; value: string }) {
  return (
    <>
      <Text fontWeight="medium" mt={2} mb={1}>
        {name}
      </Text>
      <Copyable what={name} text={value} />
    </>
  );
}
