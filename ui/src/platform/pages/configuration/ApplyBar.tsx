import { Alert, Button } from "@chakra-ui/react";
import { useState } from "react";

import { count } from "../../../data/words";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { useSay } from "../../../parts/news";
import type { OperationView } from "../../../../generated/platform";
import { ofPlatform } from "../../data/platform";
import type { Layer } from "./layer";

/** How many settings the processes of a Deployment do not have yet, and the way to give them. */
export function ApplyBar({ layer, waiting, busy, done }: { layer: Layer; waiting: number; busy: boolean; done: () => void }) {
  const say = useSay();
  const [action, setAction] = useState<Action>();
  const apply: Action = {
    title: "Apply the configuration",
    explained: "Its API servers and its scheduler restart. Tasks go on at their sites.",
    submit: "Apply",
    run: async (reason) => {
      await ofPlatform.call<OperationView>(`${layer.path}/apply`, { method: "POST", query: { reason } });
      say("An operation applies the configuration");
      done();
    },
  };
  return (
    <>
      <Alert.Root status={waiting ? "warning" : "info"} alignItems="center">
        <Alert.Indicator />
        <Alert.Title flex={1}>
          {waiting
            ? `${count(waiting, "setting is", "settings are")} not applied: the processes of the Deployment do not have ${waiting === 1 ? "it" : "them"} yet.`
            : "The settings below are applied. One that was removed counts until the configuration is applied again."}
        </Alert.Title>
        {layer.mayChange ? (
          <Button size="sm" {...(waiting ? { colorPalette: "brand" } : { variant: "outline" as const })} disabled={busy} onClick={() => setAction(apply)}>
            Apply
          </Button>
        ) : undefined}
      </Alert.Root>
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </>
  );
}
