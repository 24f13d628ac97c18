// Settings of sign-in, and what came of a test with them.
import { Alert, Code, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import { moment } from "../../../data/words";
import { Facts } from "../../../parts/Facts";
import { Tags } from "../../../parts/marks";
import type { SignInSettingsView, SignInTest } from "../../../../generated/platform";

export function TestResult({ test }: { test: SignInTest }) {
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

export function SettingsFacts({ settings }: { settings: SignInSettingsView }) {
  const facts: [string, ReactNode][] = [
    ["Button label", `Continue with ${settings.label}`],
    ["Issuer", <Code wordBreak="break-all">{settings.issuer}</Code>],
    ["Client ID", <Code wordBreak="break-all">{settings.client_id}</Code>],
    ["Client secret", settings.has_client_secret ? "set" : "none"],
    ["Scopes", settings.scopes],
    ["Groups claim", settings.groups_claim || "none: no groups"],
    ...(settings.groups_filter ? [["Groups filter", <Code>{settings.groups_filter}</Code>] as [string, ReactNode]] : []),
    ["Group mappings", <Mappings settings={settings} />],
    ["Teams for other groups", settings.create_teams ? "are created" : "no"],
    ["Groups that may sign in", settings.allowed_groups.length ? <Tags names={settings.allowed_groups} /> : "all people whom the provider lets in"],
    ["Required acr", <Tags names={settings.required_acr} />],
    ["Required amr", <Tags names={settings.required_amr} />],
    ["Refresh interval", `${settings.refresh_minutes} minutes`],
    ["Recent sign-in for sensitive changes", settings.sign_in_again_minutes === null ? "not asked for" : `${settings.sign_in_again_minutes} minutes`],
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
