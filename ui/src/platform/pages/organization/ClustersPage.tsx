import { Link } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { usePolled } from "../../../data/usePolled";
import { DataTable, type Column } from "../../../parts/DataTable";
import { When } from "../../../parts/marks";
import { Nothing, Shown } from "../../../parts/states";
import type { ClusterView } from "../../../../generated/platform";
import type { Page } from "../../data/types";

/** Where Deployments run. */
export function ClustersPage() {
  const polled = usePolled<Page<ClusterView>>("/clusters?limit=1000", 15);
  return (
    <Shown polled={polled} what="clusters">
      {(page) =>
        page.items.length === 0 ? (
          <Nothing title="No clusters">Your role shows no cluster, or none was added yet.</Nothing>
        ) : (
          <DataTable label="Clusters" columns={COLUMNS} rows={page.items} id={(each) => each.id} />
        )
      }
    </Shown>
  );
}

const COLUMNS: Column<ClusterView>[] = [
  {
    name: "Name",
    cell: (each) => (
      <Link asChild color="fg.info" fontWeight="semibold">
        <RouterLink to={`/organization/clusters/${each.name}`}>{each.name}</RouterLink>
      </Link>
    ),
  },
  { name: "Cluster id", cell: (each) => <code>{each.slug}</code> },
  { name: "Driver", cell: (each) => each.driver },
  { name: "Agents' address", hideBelow: "md", cell: (each) => each.agents_url },
  { name: "Added", hideBelow: "md", cell: (each) => <When at={each.created_at} /> },
];
