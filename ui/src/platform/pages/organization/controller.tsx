// The controller of a cluster: its state, what is wrong with it, and how one is installed.
import { Alert, Text } from "@chakra-ui/react";

import { Copyable } from "../../../parts/Copyable";
import type { ClusterView } from "../../../../generated/platform";
import { StateDot } from "../../parts/marks";

const HEALTH: Record<string, string> = { connected: "healthy", lost: "unhealthy", never: "unknown" };
const WORDS: Record<string, string> = { connected: "Connected", lost: "Lost", never: "Not connected yet" };

export function ControllerState({ cluster }: { cluster: ClusterView }) {
  const { controller } = cluster;
  return controller === null ? (
    <StateDot state="healthy" word="The platform itself" />
  ) : (
    <StateDot state={HEALTH[controller.state] ?? "unknown"} word={WORDS[controller.state] ?? controller.state} />
  );
}

/** One command that installs the controller, with the token in a file beside it. */
export function InstallController({ driver }: { driver: string }) {
  const platform = globalThis.location.origin;
  const command =
    driver === "local"
      ? `tradewind platform controller run --platform ${platform} --cluster-token-file cluster-token --home /var/lib/tradewind-controller`
      : [
          "helm upgrade --install tradewind-controller deploy/helm/tradewind-controller \\",
          "  --namespace tradewind --create-namespace \\",
          `  --set platform.url=${platform} --set-file platform.token=cluster-token -f values.yaml`,
        ].join("\n");
  return (
    <>
      <Text my={2}>
        Put the token into the file <code>cluster-token</code>, readable by you only, and install the controller:
      </Text>
      <Copyable what="install command" text={command} />
    </>
  );
}

/** What to do while the controller does not answer. `hidesInstallation`: another part of the page says how it is installed. */
export function ControllerAlerts({ cluster, hidesInstallation }: { cluster: ClusterView; hidesInstallation: boolean }) {
  const { controller } = cluster;
  return (
    <>
      {controller?.state === "lost" ? (
        <Alert.Root status="error" mb={4}>
          <Alert.Indicator />
          <Alert.Title>
            The controller has not reported for more than a minute. Deployments go on, and the platform neither changes nor observes them. Look at its log
            in the cluster.
          </Alert.Title>
        </Alert.Root>
      ) : undefined}
      {controller?.state === "never" && !hidesInstallation ? (
        <Alert.Root status="info" mb={4}>
          <Alert.Indicator />
          <Alert.Content>
            <Alert.Title>The controller has not connected yet</Alert.Title>
            <Alert.Description w="100%">
              <InstallController driver={cluster.driver} />
            </Alert.Description>
          </Alert.Content>
        </Alert.Root>
      ) : undefined}
    </>
  );
}
