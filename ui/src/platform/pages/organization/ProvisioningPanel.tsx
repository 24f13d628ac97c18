import { Button, Code, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import { useSource } from "../../../data/source";
import { usePolled } from "../../../data/usePolled";
import { moment } from "../../../data/words";
import { Copyable } from "../../../parts/Copyable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { Facts } from "../../../parts/Facts";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { ShownOnce } from "../../../parts/ShownOnce";
import { Shown } from "../../../parts/states";
import type { NewScimToken, ScimTokenCreated, ScimView } from "../../../../generated/platform";
import { allows, useMe } from "../../data/permissions";
import { Panel } from "../../parts/page";

const PATH = "/organization/scim";

/** Whether the identity provider pushes people and groups (SCIM), and the token by which it does. */
export function ProvisioningPanel() {
  const polled = usePolled<ScimView>(PATH, 10);
  return (
    <Panel title="Provisioning (SCIM)">
      <Shown polled={polled} what="SCIM settings">
        {(scim) => <Provisioning scim={scim} refresh={polled.refresh} />}
      </Shown>
    </Panel>
  );
}

function Provisioning({ scim, refresh }: { scim: ScimView; refresh: () => void }) {
  const me = useMe();
  const say = useSay();
  const { call } = useSource();
  const [action, setAction] = useState<Action>();
  const [token, setToken] = useState("");

  const create = async (reason: string, minutes: number) => {
    const body: NewScimToken = { overlap_minutes: minutes };
    const made = await call<ScimTokenCreated>(`${PATH}/token`, { method: "POST", body, query: { reason } });
    setToken(made.token);
    say(scim.enabled ? "The SCIM token was replaced" : "SCIM is on");
    refresh();
  };
  const turnOn: Action = {
    title: "Turn on SCIM",
    explained: "A token is made, which is shown once. The identity provider then creates, changes and deactivates people and groups.",
    submit: "Create token",
    run: (reason) => create(reason, 0),
  };
  const replace: Action = {
    title: "Replace the SCIM token",
    explained: "A new token is shown once. The old one stays valid for the minutes you choose.",
    submit: "Create token",
    number: { label: "Minutes the old value stays valid", value: 60, most: 10_080 },
    run: create,
  };
  const revoke: Action = {
    title: "Turn off SCIM",
    explained: "The token is revoked. People, groups and teams stay as they are, and the identity provider no longer deactivates people.",
    submit: "Turn off",
    dangerous: true,
    run: async (reason) => {
      await call(`${PATH}/token`, { method: "DELETE", query: { reason } });
      setToken("");
      say("SCIM is off");
      refresh();
    },
  };
  return (
    <>
      {token ? <ShownOnce title="Copy the SCIM token now." what="SCIM token" value={token} onClose={() => setToken("")} /> : undefined}
      <Text mb={3}>
        {scim.enabled
          ? "The identity provider creates, changes and deactivates people and groups."
          : "Off. Turned on, the identity provider creates, changes and deactivates people and groups."}
      </Text>
      <Text fontWeight="medium" mb={1}>
        Base URL
      </Text>
      <Copyable what="SCIM base URL" text={scim.base_url} />
      {scim.enabled ? (
        <Facts
          facts={[
            ["Token", scim.prefix ? <Code>{scim.prefix}…</Code> : "none"],
            ["Created", scim.created_at ? `${moment(scim.created_at)}, by ${scim.created_by}` : "–"],
            ["Last used", <When at={scim.last_used_at} />],
            ...(scim.old_values_until ? [["Old token valid until", moment(scim.old_values_until)] as [string, string]] : []),
            ["People", String(scim.users)],
            ["Groups", String(scim.groups)],
          ]}
        />
      ) : undefined}
      {allows(me, "organization.update") ? (
        <HStack mt={3} gap={2}>
          <Button size="xs" variant="outline" onClick={() => setAction(scim.enabled ? replace : turnOn)}>
            {scim.enabled ? "Replace token" : "Create token"}
          </Button>
          {scim.enabled ? (
            <Button size="xs" variant="outline" colorPalette="red" onClick={() => setAction(revoke)}>
              Turn off
            </Button>
          ) : undefined}
        </HStack>
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}
