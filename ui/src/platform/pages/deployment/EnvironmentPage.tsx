import type { OfDeployment } from "../../data/deployments";
import { allows, useMe } from "../../data/permissions";
import { referenceOf } from "../../data/platform";
import type { Layer } from "../configuration/layer";
import { LayerPanels } from "../configuration/LayerPanels";

/** Environment variables and options of a Deployment, with those of its workspace and its cluster that count there. */
export function EnvironmentPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const mayChange = allows(me, "deployment.config.update", { workspace: deployment.workspace, deployment: deployment.id });
  const layer: Layer = { path: `/deployments/${referenceOf(deployment)}`, word: "deployment", mayChange };
  return <LayerPanels layer={layer} busy={deployment.operation !== null} done={done} />;
}
