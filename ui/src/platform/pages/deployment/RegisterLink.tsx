import { Link } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import type { DeploymentView } from "../../../../generated/platform";
import { referenceOf } from "../../data/platform";

export function RegisterLink({ deployment }: { deployment: DeploymentView }) {
  return (
    <Link asChild color="fg.info">
      <RouterLink to={`/deployments/${referenceOf(deployment)}/remote-agents/register`}>Register an agent</RouterLink>
    </Link>
  );
}
