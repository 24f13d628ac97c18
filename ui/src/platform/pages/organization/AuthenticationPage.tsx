import { Alert, Button, Code, HStack, SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { moment } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { Tags } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Shown } from "../../../parts/states";
import type { SignInSettingsView, SignInTest, SignInView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { PageTop, Panel } from "../../parts/page";
import { AllowedAddressesPanel } from "./AllowedAddressesPanel";
import { Facts } from "./Facts";
import { ProvisioningPanel } from "./ProvisioningPanel";
import { SignInForm } from "./SignInForm";

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
    title: "Use the draft",
    explained: "People sign in with these settings from then on. Sessions that are open stay.",
    submit: "Activate",
    run: async (reason) => {
      await call<SignInView>(`${PATH}/activate`, { method: "POST", query: { reason } });
      say("The settings are in use");
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
                : "Sign in with the draft in your own browser. Nobody else is affected until it is activated."}
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
          <Panel title="In use">
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
          <Panel title="When nothing else works">
            <Text mb={2}>On the platform's machine, an administrator makes a link that signs a user in once, for 15 minutes:</Text>
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

function TestResult({ test }: { test: SignInTest }) {
  return (
    <Alert.Root status={test.refused ? "error" : "success"} mb={4} alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content minW={0}>
        <Alert.Title>{test.refused ? "The test sign-in would be refused" : "The test sign-in went well"}</Alert.Title>
        <Alert.Description w="100%">
          {test.refused ? <Text>{test.refused}</Text> : undefined}
          <Facts
            facts={[
              ["Tested", moment(test.at)],
              ["Groups", <Tags names={test.groups} />],
              ["Teams", <Tags names={test.teams} />],
            ]}
          />
          <Text mt={2} fontWeight="medium">
            Claims
          </Text>
          <Code as="pre" display="block" p={2} mt={1} whiteSpace="pre-wrap" overflowWrap="anywhere" maxH="16em" overflowY="auto" tabIndex={0}>
            {JSON.stringify(test.claims, undefined, 2)}
          </Code>
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}

function SettingsFacts({ settings }: { settings: SignInSettingsView }) {
  const facts: [string, ReactNode][] = [
    ["Button", `Continue with ${settings.label}`],
    ["Issuer", <Code wordBreak="break-all">{settings.issuer}</Code>],
    ["Client id", <Code wordBreak="break-all">{settings.client_id}</Code>],
    ["Client secret", settings.has_client_secret ? "set" : "none"],
    ["Scopes", settings.scopes],
    ["Groups claim", settings.groups_claim || "none: no groups"],
    ...(settings.groups_filter ? [["Groups filter", <Code>{settings.groups_filter}</Code>] as [string, ReactNode]] : []),
    ["Groups to teams", <Mappings settings={settings} />],
    ["Teams for other groups", settings.create_teams ? "are created" : "no"],
    ["Who may sign in", settings.allowed_groups.length ? <Tags names={settings.allowed_groups} /> : "everybody whom the provider lets in"],
    ["Required acr", <Tags names={settings.required_acr} />],
    ["Required amr", <Tags names={settings.required_amr} />],
    ["Asked about a session", `every ${settings.refresh_minutes} minutes`],
    ["Sign in again", settings.sign_in_again_minutes === null ? "never" : `before sensitive changes, after ${settings.sign_in_again_minutes} minutes`],
    ["Changed", `${moment(settings.updated_at)}, by ${settings.updated_by}`],
  ];
  return <Facts facts={facts} />;
}

function Mappings({ settings }: { settings: SignInSettingsView }) {
  return settings.group_teams.length === 0 ? (
    "none"
  ) : (
    <>
      {settings.group_teams.map((each) => (
        <Text key={each.group}>
          {each.group} → {each.teams.join(", ")}
        </Text>
      ))}
    </>
  );
}
