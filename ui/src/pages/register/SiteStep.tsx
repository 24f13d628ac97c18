import { SimpleGrid } from "@chakra-ui/react";

import { SelectField, TextField } from "../../parts/fields";
import type { StepProps } from "./form";

/** Kinds of secrets backends, and what each asks for. */
const SECRETS: Record<string, { title: string; place: string; example: string; role?: string }> = {
  "aws-secrets-manager": { title: "AWS Secrets Manager", place: "Region", example: "eu-west-1" },
  "aws-parameter-store": { title: "AWS Systems Manager Parameter Store", place: "Region", example: "eu-west-1" },
  "azure-key-vault": { title: "Azure Key Vault", place: "Vault URL", example: "https://my-vault.vault.azure.net/" },
  "google-secret-manager": { title: "Google Secret Manager", place: "Project", example: "my-project" },
  "vault-kubernetes": {
    title: "HashiCorp Vault or OpenBao, Kubernetes auth",
    place: "Vault URL",
    example: "https://vault.example.com",
    role: "Kubernetes role",
  },
  "vault-approle": {
    title: "HashiCorp Vault or OpenBao, AppRole auth",
    place: "Vault URL",
    example: "https://vault.example.com",
    role: "Role ID",
  },
};

const BACKENDS = Object.entries(SECRETS).map(([kind, { title }]) => [kind, title] as const);

/** Where the site keeps values, secrets and logs. */
export function SiteStep({ form, set, problem }: StepProps) {
  return (
    <SimpleGrid columns={{ base: 1, md: 2 }} gap={4}>
      <TextField
        label="Site"
        help="The token belongs to the site. Agents of a site share its Dags and its work"
        value={form.site}
        set={(site) => set({ site })}
        problem={problem("site")}
      />
      <TextField
        label="Shared storage"
        placeholder="/mnt/shared/tradewind or s3://connection@bucket/prefix"
        help="For XCom values and task state. Leave empty if this is the site's only agent"
        value={form.storage}
        set={(storage) => set({ storage })}
        problem={problem("storage")}
      />
      <SecretsFields form={form} set={set} problem={problem} />
      <LogsFields form={form} set={set} problem={problem} />
    </SimpleGrid>
  );
}

function SecretsFields({ form: { secrets }, set, problem }: StepProps) {
  const backend = SECRETS[secrets.kind];
  return (
    <>
      <SelectField
        label="Secrets backend"
        optional
        empty="None (environment variables)"
        help="Where tasks read connections and variables. The plane has no access to it"
        options={BACKENDS}
        value={secrets.kind}
        set={(kind) => set({ secrets: { ...secrets, kind, place: "" } })}
      />
      {backend ? (
        <TextField
          label={backend.place}
          placeholder={backend.example}
          value={secrets.place}
          set={(place) => set({ secrets: { ...secrets, place } })}
          problem={secrets.place ? problem("secrets.place") : ""}
        />
      ) : undefined}
      {backend?.role ? (
        <TextField
          label={backend.role}
          placeholder="airflow-site"
          value={secrets.role}
          set={(role) => set({ secrets: { ...secrets, role } })}
          problem={secrets.role ? problem("secrets.role") : ""}
        />
      ) : undefined}
    </>
  );
}

function LogsFields({ form: { logs }, set, problem }: StepProps) {
  return (
    <>
      <TextField
        label="Task logs"
        placeholder="s3://bucket/logs, gs://bucket/logs or wasb://logs"
        help="Where agents upload task logs. Leave empty to keep them on the agent's disk"
        value={logs.url}
        set={(url) => set({ logs: { ...logs, url } })}
        problem={problem("logs.url")}
      />
      {logs.url ? (
        <TextField
          label="Connection for task logs"
          help="Connection ID in the site's secrets backend. S3 and Azure need one"
          value={logs.connection}
          set={(connection) => set({ logs: { ...logs, connection } })}
          problem={problem("logs.connection")}
        />
      ) : undefined}
      {logs.url.startsWith("wasb://") ? (
        <TextField
          label="Container for task logs"
          value={logs.container}
          set={(container) => set({ logs: { ...logs, container } })}
          problem={logs.container ? problem("logs.container") : ""}
        />
      ) : undefined}
    </>
  );
}
