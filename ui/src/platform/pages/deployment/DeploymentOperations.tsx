import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { Nothing, Shown } from "../../../parts/states";
import type { DeploymentView, OperationView } from "../../../../generated/platform";
import { referenceOf } from "../../data/platform";
import { OperationsTable } from "../../parts/OperationsTable";

export function DeploymentOperations({ deployment }: { deployment: DeploymentView }) {
  const polled = usePolled<Page<OperationView>>(`/operations?deployment=${referenceOf(deployment)}&limit=200`, 3);
  return (
    <Shown polled={polled} what="operations">
      {(page) => (page.items.length === 0 ? <Nothing title="No operations yet" /> : <OperationsTable operations={page.items} ofOne />)}
    </Shown>
  );
}
