import { Button, Flex, Input, Text } from "@chakra-ui/react";
import { useMemo } from "react";
import { Link as RouterLink, useSearchParams } from "react-router-dom";

import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { CheckboxField } from "../../parts/fields";
import { FilterSelect } from "../../parts/FilterSelect";
import { Nothing, Shown } from "../../parts/states";
import type { DeploymentView, ReleaseView } from "../../../generated/platform";
import { GONE } from "../data/deployments";
import { allowsSomewhere, useMe } from "../data/permissions";
import { PageTop } from "../parts/page";
import { PagedTable } from "../parts/PagedTable";
import { columnsOf } from "./deploymentColumns";

/** Every Deployment that the person may see. The filters stand in the address, so that a view can be kept and sent. */
export function DeploymentsPage() {
  const me = useMe();
  const mayCreate = allowsSomewhere(me, "deployment.create");
  const polled = usePolled<Page<DeploymentView>>("/deployments?limit=1000", 5);
  return (
    <>
      <PageTop title="Deployments" help="Each Deployment is an Airflow of its own, with its own database, keys, agents and people.">
        {mayCreate ? (
          <Button asChild size="sm" colorPalette="brand">
            <RouterLink to="/deployments/new">New Deployment</RouterLink>
          </Button>
        ) : undefined}
      </PageTop>
      <Shown polled={polled} what="Deployments">
        {(page) =>
          page.total === 0 ? (
            <Nothing title="No Deployments yet">
              {mayCreate ? (
                <>
                  <Text mb={4}>Create the first one. It is ready in about a minute, and its page says how to connect an agent.</Text>
                  <Button asChild colorPalette="brand">
                    <RouterLink to="/deployments/new">New Deployment</RouterLink>
                  </Button>
                </>
              ) : (
                <Text>You have no role in any Deployment. Ask an owner of the organization {me.organization} for one.</Text>
              )}
            </Nothing>
          ) : (
            <Filtered deployments={page.items} />
          )
        }
      </Shown>
    </>
  );
}

const HEALTHS = ["healthy", "degraded", "unhealthy", "unknown", "asleep"];

function Filtered({ deployments }: { deployments: DeploymentView[] }) {
  const [parameters, setParameters] = useSearchParams();
  const text = parameters.get("q") ?? "";
  const workspace = parameters.get("workspace") ?? "";
  const health = parameters.get("health") ?? "";
  const gone = parameters.has("deleted");
  const set = (name: string, value: string) =>
    setParameters(
      (before) => {
        before.delete(name);
        if (value) {
          before.set(name, value);
        }
        return before;
      },
      { replace: true },
    );
  const wanted = text.trim().toLowerCase();
  const rows = deployments.filter(
    (each) =>
      (gone || !GONE.has(each.phase)) &&
      (workspace === "" || each.workspace_name === workspace) &&
      (health === "" || each.health === health) &&
      [each.name, each.slug, each.workspace_name, each.cluster_name, each.description].some((part) => part.toLowerCase().includes(wanted)),
  );
  const releases = usePolled<Page<ReleaseView>>("/releases?limit=1000", 60).data?.items;
  const columns = useMemo(() => columnsOf(releases ?? []), [releases]);
  const workspaces = [...new Set(deployments.map((each) => each.workspace_name))].sort();
  return (
    <>
      <Flex gap={3} mb={3} wrap="wrap" align="center">
        <Input
          size="sm"
          maxW="18em"
          type="search"
          aria-label="Search Deployments"
          placeholder="Name, workspace or cluster"
          value={text}
          onChange={(event) => set("q", event.target.value)}
        />
        <FilterSelect label="Workspace" all="All workspaces" options={workspaces.map((each) => [each, each])} value={workspace} set={(value) => set("workspace", value)} />
        <FilterSelect label="Health" all="Any health" options={HEALTHS.map((each) => [each, each])} value={health} set={(value) => set("health", value)} />
        <CheckboxField checked={gone} set={(shown) => set("deleted", shown ? "yes" : "")}>
          Show deleted
        </CheckboxField>
        <Text color="fg.muted" fontSize="sm" aria-live="polite">
          {rows.length} of {deployments.length}
        </Text>
      </Flex>
      {rows.length === 0 ? (
        <Nothing title="No Deployment matches the filters">
          <Button size="sm" variant="outline" onClick={() => setParameters({}, { replace: true })}>
            Clear filters
          </Button>
        </Nothing>
      ) : (
        <PagedTable label="Deployments" columns={columns} rows={rows} id={(each) => each.id} />
      )}
    </>
  );
}
