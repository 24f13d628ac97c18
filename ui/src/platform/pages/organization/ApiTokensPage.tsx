import { Alert, Badge, Box, Button, Field, Flex, HStack, Input, Text } from "@chakra-ui/react";
import { useState } from "react";

import { usePolled } from "../../../data/usePolled";
import { spaced } from "../../../data/words";
import type { Column } from "../../../parts/DataTable";
import { FormDialog, ReasonDialog, type Action } from "../../../parts/dialogs";
import { Copyable } from "../../../parts/Copyable";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { Nothing, Shown } from "../../../parts/states";
import type { ApiTokenCreated, ApiTokenView, DeploymentView, NewApiToken, RotateApiToken, WorkspaceView } from "../../../../generated/platform";
import { allowsSomewhere, useMe } from "../../data/permissions";
import { ofPlatform } from "../../data/platform";
import type { Page } from "../../data/types";
import { useScopeNames } from "../../data/useScopeNames";
import { PagedTable } from "../../parts/PagedTable";
import { useTitle } from "../../parts/page";
import { Select } from "../../parts/Select";

export function ApiTokensPage() {
  useTitle("API tokens");
  return <ApiTokens />;
}

/** API tokens: the person's own ones, or those of programs. A value is shown once, when it is made. */
export function ApiTokens({ personal = false }: { personal?: boolean }) {
  const me = useMe();
  const say = useSay();
  const scope = useScopeNames();
  const polled = usePolled<Page<ApiTokenView>>("/api-tokens?limit=1000", 10);
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<ApiTokenCreated>();
  const [action, setAction] = useState<Action>();
  const mayMake = personal || allowsSomewhere(me, "apiTokens.update");

  const remove = (token: ApiTokenView): Action => ({
    title: `Delete API token ${token.name}`,
    explained: "Programs that use it are refused within seconds, by the platform and by each Deployment.",
    submit: "Delete",
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call(`/api-tokens/${token.id}`, { method: "DELETE", query: { reason } });
      say(`API token ${token.name} was deleted`);
      polled.refresh();
    },
  });
  const rotate = (token: ApiTokenView): Action => ({
    title: `Rotate API token ${token.name}`,
    explained: "It gets a new value, which is shown once. The old value stays valid for the minutes you choose.",
    submit: "Rotate",
    number: { label: "Minutes the old value stays valid", value: 60, most: 10_080 },
    run: async (reason, overlap_minutes) => {
      const body: RotateApiToken = { overlap_minutes };
      setMade(await ofPlatform.call<ApiTokenCreated>(`/api-tokens/${token.id}/rotate`, { method: "POST", body, query: { reason } }));
      polled.refresh();
    },
  });
  const columns: Column<ApiTokenView>[] = [
    {
      name: "Name",
      cell: (token) => (
        <Box>
          <Text fontWeight="semibold">
            {token.name} {token.owner && !personal ? <Badge variant="outline">of {token.owner}</Badge> : undefined}
          </Text>
          <Text color="fg.muted" fontSize="xs">
            {token.description}
          </Text>
        </Box>
      ),
    },
    { name: "Role", cell: (token) => spaced(token.role) },
    { name: "On", hideBelow: "md", cell: (token) => scope(token) },
    { name: "Prefix", hideBelow: "lg", cell: (token) => <code>{token.prefix}</code> },
    { name: "Last used", hideBelow: "md", cell: (token) => <When at={token.last_used_at} /> },
    { name: "Expires", cell: (token) => <Expiry token={token} /> },
    {
      name: "Actions",
      quiet: true,
      cell: (token) =>
        mayMake ? (
          <HStack gap={2}>
            <Button size="xs" variant="outline" aria-label={`Rotate ${token.name}`} onClick={() => setAction(rotate(token))}>
              Rotate
            </Button>
            <Button size="xs" variant="outline" colorPalette="red" aria-label={`Delete ${token.name}`} onClick={() => setAction(remove(token))}>
              Delete
            </Button>
          </HStack>
        ) : undefined,
    },
  ];
  return (
    <>
      <Flex justify="space-between" align="center" gap={3} mb={3} wrap="wrap">
        <Text color="fg.muted" maxW="44em">
          {personal ? "" : "A token has one role on one scope. It opens the platform's API, the operator API and Airflow's REST API of the Deployments of its scope."}
        </Text>
        {mayMake ? (
          <Button size="sm" variant={personal ? "outline" : "solid"} colorPalette={personal ? "gray" : "brand"} onClick={() => setMaking(true)}>
            Create API token
          </Button>
        ) : undefined}
      </Flex>
      {made ? (
        <Alert.Root status="success" mb={4} alignItems="flex-start">
          <Alert.Indicator />
          <Alert.Content>
            <Alert.Title>Copy the value of {made.name} now. It is not shown again.</Alert.Title>
            <Alert.Description w="100%">
              <Copyable text={made.token} what="value of the API token" />
            </Alert.Description>
          </Alert.Content>
          <Button size="sm" variant="outline" onClick={() => setMade(undefined)}>
            Done
          </Button>
        </Alert.Root>
      ) : undefined}
      <Shown polled={polled} what="API tokens">
        {(page) => {
          const rows = page.items.filter((each) => (personal ? each.owner === me.name : each.owner !== me.name || each.owner === ""));
          return rows.length === 0 ? (
            personal ? (
              <Text color="fg.muted">None.</Text>
            ) : (
              <Nothing title="No API tokens">A pipeline or a script signs in with one.</Nothing>
            )
          ) : (
            <PagedTable label={personal ? "Personal API tokens" : "API tokens"} columns={columns} rows={rows} id={(each) => each.id} />
          );
        }}
      </Shown>
      {making ? (
        <NewToken
          personal={personal}
          onClose={() => setMaking(false)}
          onMade={(token) => {
            setMade(token);
            polled.refresh();
          }}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}

const SOON = 30 * 86_400_000;

function Expiry({ token }: { token: ApiTokenView }) {
  if (token.expires_at === null) {
    return <Text color="fg.muted">never</Text>;
  }
  const left = Date.parse(token.expires_at) - Date.now();
  return (
    <Text color={left < 0 ? "fg.error" : left < SOON ? "fg.warning" : "fg"}>
      {left < 0 ? "expired " : ""}
      <When at={token.expires_at} />
    </Text>
  );
}

const LEVELS = ["organization", "workspace", "deployment"] as const;
type Level = (typeof LEVELS)[number];
const ROLES: Record<Level, string[]> = {
  organization: ["owner", "auditor", "member"],
  workspace: ["owner", "operator", "author", "viewer"],
  deployment: ["admin", "operator", "author", "viewer"],
};
const LEVEL_NAMES: Record<Level, string> = { organization: "The organization", workspace: "A workspace", deployment: "A Deployment" };

function NewToken({ personal, onClose, onMade }: { personal: boolean; onClose: () => void; onMade: (made: ApiTokenCreated) => void }) {
  const workspaces = usePolled<Page<WorkspaceView>>("/workspaces?limit=1000", 60).data?.items ?? [];
  const deployments = (usePolled<Page<DeploymentView>>("/deployments?limit=1000", 60).data?.items ?? []).filter((each) => each.phase !== "purged");
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [level, setLevel] = useState<Level>("deployment");
  const [role, setRole] = useState("operator");
  const [workspace, setWorkspace] = useState("");
  const [deployment, setDeployment] = useState("");
  const [days, setDays] = useState("90");
  return (
    <FormDialog
      title={personal ? "Create personal API token" : "Create API token"}
      open
      onClose={onClose}
      submit="Create"
      onSubmit={async () => {
        const body: NewApiToken = {
          name: name.trim(),
          description,
          role: `${level}_${role}`,
          personal,
          expires_in_days: days ? Number(days) : null,
          ...(level === "workspace" ? { workspace } : level === "deployment" ? { deployment } : {}),
        };
        onMade(await ofPlatform.call<ApiTokenCreated>("/api-tokens", { method: "POST", body }));
      }}
    >
      <Field.Root required>
        <Field.Label>Name</Field.Label>
        <Input required maxLength={50} pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" value={name} onChange={(event) => setName(event.target.value)} />
        <Field.HelperText>Lower-case letters, digits and hyphens</Field.HelperText>
      </Field.Root>
      <Select
        label="Scope"
        value={level}
        set={(value) => {
          const chosen = LEVELS.find((each) => each === value) ?? "deployment";
          setLevel(chosen);
          setRole(ROLES[chosen].includes(role) ? role : "viewer");
        }}
        options={LEVELS.map((each) => [each, LEVEL_NAMES[each]])}
      />
      {level === "workspace" ? (
        <Select label="Workspace" value={workspace} set={setWorkspace} options={workspaces.map((each) => [each.name, each.name])} empty="Choose a workspace" />
      ) : level === "deployment" ? (
        <Select label="Deployment" value={deployment} set={setDeployment} options={deployments.map((each) => [each.name, each.name])} empty="Choose a Deployment" />
      ) : undefined}
      <Select label="Role" value={role} set={setRole} options={ROLES[level].map((each) => [each, each])} />
      <Field.Root>
        <Field.Label>Days until it expires</Field.Label>
        <Input type="number" min={1} max={3650} value={days} onChange={(event) => setDays(event.target.value)} />
        <Field.HelperText>Empty: it never expires</Field.HelperText>
      </Field.Root>
      <Field.Root>
        <Field.Label>Description</Field.Label>
        <Input maxLength={1000} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field.Root>
    </FormDialog>
  );
}
