// How an agent is started, filled in. Values go through `quoted`, so that a name cannot become a command.

export type Wanted = {
  planeUrl: string;
  name: string;
  components: string[]; // empty: all
  queues: string[];
  slots: number;
  image: string;
};

export type Recipe = { key: string; title: string; steps: { explained: string; text: string; what: string }[] };

/** For a shell. */
const quoted = (text: string) => (/^[\w@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
/** For TOML and YAML: a JSON string is one in both. */
const json = (value: unknown) => JSON.stringify(value);
const slug = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9-]+/gu, "-").replaceAll(/^-+|-+$/gu, "") || "agent";

function settings(wanted: Wanted): [string, unknown][] {
  return [
    ["plane_url", wanted.planeUrl],
    ["name", wanted.name],
    ...(wanted.components.length ? ([["components", wanted.components]] as [string, unknown][]) : []),
    ["queues", wanted.queues],
    ["slots", wanted.slots],
  ];
}

const asText = (value: unknown) => (Array.isArray(value) ? value.join(",") : String(value));

function host(wanted: Wanted): Recipe {
  const flags = settings(wanted).map(([key, value]) => `--${key.replaceAll("_", "-")} ${quoted(asText(value))}`);
  return {
    key: "host",
    title: "Host",
    steps: [
      {
        explained: "In the environment that has your packages and Airflow's core:",
        what: "install command",
        text: "pip install tradewind-agent tradewind-runtime",
      },
      {
        explained: "Put the token into a file that only you can read: paste it, Enter, Ctrl-D.",
        what: "token file command",
        text: "(umask 077 && cat > agent-token)",
      },
      {
        explained: "Start it:",
        what: "start command",
        text: ["tradewind-agent run", ...flags, "--token-file agent-token"].join(" \\\n  "),
      },
    ],
  };
}

function systemd(wanted: Wanted): Recipe {
  const toml = [
    ...settings(wanted).map(([key, value]) => `${key} = ${json(value)}`),
    'token_file = "/etc/tradewind/token"',
    'state_dir = "/var/lib/tradewind"',
    "",
    "# the Python that has your packages, Airflow's core and tradewind-runtime",
    'interpreter = "/opt/airflow/bin/python"',
  ];
  const unit = `[Unit]
Description=Tradewind agent ${wanted.name}
Wants=network-online.target
After=network-online.target

[Service]
User=tradewind
StateDirectory=tradewind
ExecStart=/opt/tradewind/bin/tradewind-agent run --config /etc/tradewind/agent.toml
Restart=on-failure
RestartPreventExitStatus=3 78
# SIGTERM drains; give it longer than the setting \`grace\` (600 s)
KillMode=mixed
TimeoutStopSec=660

[Install]
WantedBy=multi-user.target`;
  return {
    key: "systemd",
    title: "systemd",
    steps: [
      { explained: "/etc/tradewind/agent.toml", what: "settings file", text: toml.join("\n") },
      {
        explained: "The token, readable by the service's user only: paste it, Enter, Ctrl-D.",
        what: "token file command",
        text: "sudo install -o tradewind -m 600 /dev/stdin /etc/tradewind/token",
      },
      { explained: "/etc/systemd/system/tradewind-agent.service", what: "systemd unit", text: unit },
      { explained: "Start it:", what: "start command", text: "sudo systemctl enable --now tradewind-agent" },
    ],
  };
}

function container(wanted: Wanted): Recipe {
  const variables = settings(wanted).map(
    ([key, value]) => `--env TRADEWIND_AGENT_${key.toUpperCase()}=${quoted(asText(value))}`,
  );
  const name = slug(wanted.name);
  return {
    key: "container",
    title: "Container",
    steps: [
      {
        explained: "The token, in a file that the container's user can read: paste it, Enter, Ctrl-D.",
        what: "token file command",
        text: "(umask 077 && cat > agent-token)",
      },
      {
        explained: "The image has your packages, Airflow's core, tradewind-agent and tradewind-runtime.",
        what: "start command",
        text: [
          `docker run --detach --name ${name} --restart on-failure --init --stop-timeout 660`,
          ...variables,
          "--env TRADEWIND_AGENT_TOKEN_FILE=/run/secrets/agent-token",
          "--env TRADEWIND_AGENT_STATE_DIR=/var/lib/tradewind",
          '--volume "$PWD/agent-token:/run/secrets/agent-token:ro"',
          `--volume ${name}:/var/lib/tradewind`,
          `${quoted(wanted.image)} tradewind-agent run`,
        ].join(" \\\n  "),
      },
    ],
  };
}

function kubernetes(wanted: Wanted): Recipe {
  const name = slug(wanted.name);
  const env = settings(wanted).map(
    ([key, value]) => `            - {name: TRADEWIND_AGENT_${key.toUpperCase()}, value: ${json(asText(value))}}`,
  );
  return {
    key: "kubernetes",
    title: "Kubernetes",
    steps: [
      {
        explained: "The token as a Secret: paste it, Enter, Ctrl-D.",
        what: "secret command",
        text: `kubectl create secret generic ${name}-token --from-file=token=/dev/stdin`,
      },
      {
        explained: "The agent; its state stays on a volume, so that it is the same agent after a restart.",
        what: "manifest",
        text: `apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: ${name}
spec:
  serviceName: ${name}
  replicas: 1
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      terminationGracePeriodSeconds: 660
      securityContext: {runAsNonRoot: true, runAsUser: 50000, fsGroup: 50000}
      containers:
        - name: agent
          image: ${json(wanted.image)}
          command: [tradewind-agent, run]
          env:
${env.join("\n")}
            - {name: TRADEWIND_AGENT_TOKEN_FILE, value: /run/secrets/tradewind/token}
            - {name: TRADEWIND_AGENT_STATE_DIR, value: /var/lib/tradewind}
            - {name: TRADEWIND_AGENT_METRICS_HOST, value: 0.0.0.0}
          ports: [{name: metrics, containerPort: 39091}]
          livenessProbe: {httpGet: {path: /healthz, port: metrics}}
          readinessProbe: {httpGet: {path: /readyz, port: metrics}}
          volumeMounts:
            - {name: state, mountPath: /var/lib/tradewind}
            - {name: token, mountPath: /run/secrets/tradewind, readOnly: true}
      volumes:
        - {name: token, secret: {secretName: ${name}-token, defaultMode: 0440}}
  volumeClaimTemplates:
    - metadata: {name: state}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}`,
      },
    ],
  };
}

/** An image's name in its parts; a port is no tag. */
function imageParts(image: string): [string, string][] {
  const [named = "", digest] = image.split("@", 2);
  const tagged = /^(.*):([\w][\w.-]*)$/u.exec(named);
  const [repository, tag] = tagged && !tagged[2]!.includes("/") ? [tagged[1]!, tagged[2]!] : [named, ""];
  return [["repository", repository], ...(tag ? ([["tag", tag]] as [string, string][]) : []), ...(digest ? ([["digest", digest]] as [string, string][]) : [])];
}

function helm(wanted: Wanted): Recipe {
  const name = slug(wanted.name);
  const values = [
    `planeUrl: ${json(wanted.planeUrl)}`,
    "token:",
    `  existingSecret: ${name}-token`,
    "image:",
    ...imageParts(wanted.image).map(([key, value]) => `  ${key}: ${json(value)}`),
    "settings:",
    ...settings(wanted)
      .filter(([key]) => key !== "plane_url")
      .map(([key, value]) => `  ${key}: ${json(value)}`),
  ];
  return {
    key: "helm",
    title: "Helm",
    steps: [
      {
        explained: "The token as a Secret: paste it, Enter, Ctrl-D.",
        what: "secret command",
        text: `kubectl create secret generic ${name}-token --from-file=token=/dev/stdin`,
      },
      {
        explained: "values.yaml: more of them are in docs/reference/helm-values.md",
        what: "values file",
        text: values.join("\n"),
      },
      {
        explained: "From a checkout of Tradewind:",
        what: "install command",
        text: `helm install ${name} deploy/helm/tradewind-agent --values values.yaml`,
      },
    ],
  };
}

export const recipes = (wanted: Wanted): Recipe[] => [host, systemd, container, helm, kubernetes].map((make) => make(wanted));
