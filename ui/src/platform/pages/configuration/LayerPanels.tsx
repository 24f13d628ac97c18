import { VStack } from "@chakra-ui/react";

import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { Shown } from "../../../parts/states";
import type { OptionView, VariableView } from "../../../../generated/platform";
import { ApplyBar } from "./ApplyBar";
import { EntriesPanel, type Entry } from "./EntriesPanel";
import type { Layer } from "./layer";

const ofVariable = ({ name, is_secret, ...rest }: VariableView): Entry => ({ name, secret: is_secret, ...rest });
const ofOption = ({ option, ...rest }: OptionView): Entry => ({ name: option, secret: false, ...rest });

/** Environment variables and options of Airflow of a cluster, a workspace or a Deployment. `busy`: an operation runs. */
export function LayerPanels({ layer, busy = false, done = () => undefined }: { layer: Layer; busy?: boolean; done?: () => void }) {
  const variables = usePolled<Page<VariableView>>(`${layer.path}/variables?limit=1000`, 5);
  const options = usePolled<Page<OptionView>>(`${layer.path}/configuration?limit=1000`, 5);
  const refresh = () => {
    variables.refresh();
    options.refresh();
  };
  const waiting = [...(variables.data?.items ?? []), ...(options.data?.items ?? [])].filter((each) => !each.applied);
  return (
    <VStack align="stretch" gap={4}>
      {layer.word === "deployment" ? (
        <ApplyBar
          layer={layer}
          waiting={waiting.length}
          busy={busy}
          done={() => {
            refresh();
            done();
          }}
        />
      ) : undefined}
      <Shown polled={variables} what="environment variables">
        {(page) => (
          <EntriesPanel
            title="Environment variables"
            one="variable"
            part="variables"
            layer={layer}
            entries={page.items.map(ofVariable)}
            help="Of the processes of Airflow. Tasks run at your sites and have the variables of their agents."
            namePattern="[A-Za-z_][A-Za-z0-9_]{0,127}"
            nameHelp="Letters, digits and underscores"
            canBeSecret
            done={refresh}
          />
        )}
      </Shown>
      <Shown polled={options} what="options">
        {(page) => (
          <EntriesPanel
            title="Airflow options"
            one="option"
            part="configuration"
            layer={layer}
            entries={page.items.map(ofOption)}
            help="What the platform sets itself is not among them, and cannot be set here."
            namePattern="[a-z0-9_]{1,60}\.[a-z0-9_]{1,120}"
            nameHelp="The section and the option, such as core.parallelism"
            done={refresh}
          />
        )}
      </Shown>
    </VStack>
  );
}
