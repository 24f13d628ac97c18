import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { Nothing, Shown } from "../../parts/states";
import type { OperationView } from "../../../generated/platform";
import { OperationsTable } from "../parts/OperationsTable";
import { PageTop } from "../parts/page";

export function OperationsPage() {
  const polled = usePolled<Page<OperationView>>("/operations?limit=500", 3);
  return (
    <>
      <PageTop title="Operations" help="What the platform does to Deployments, in steps. A step that fails can be tried again." />
      <Shown polled={polled} what="operations">
        {(page) =>
          page.items.length === 0 ? (
            <Nothing title="No operations yet">The first one begins with the first Deployment.</Nothing>
          ) : (
            <OperationsTable operations={page.items} />
          )
        }
      </Shown>
    </>
  );
}
