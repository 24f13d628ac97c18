// Attempts of the agent: those that run, and the last ones that ended.
import { Text } from "@chakra-ui/react";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { Agent } from "../../data/types/agents";
import type { Attempt } from "../../data/types/attempts";
import type { Page } from "../../data/types/page";
import { usePolled } from "../../data/usePolled";
import { duration } from "../../data/words";
import { AttemptBadge, AttemptLink, ProcessBadge, TaskStateBadge } from "../../parts/attempts";
import { DataTable, type Column } from "../../parts/DataTable";
import type { Action } from "../../parts/dialogs";
import { Clamped, Tags, When } from "../../parts/marks";
import { Shown } from "../../parts/states";
import { Ask, type Asking } from "./Ask";
import { Part } from "./Part";

export function RunningAttempts({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call } = useSource();
  const stop = (attempt: Attempt): Action => ({
    title: `Stop ${attempt.label || attempt.id}`,
    explained: "The plane asks the agent to stop this attempt. The attempt counts as failed, and Airflow's retries decide what happens next.",
    submit: "Stop",
    dangerous: true,
    run: async (reason) => {
      await call(`/attempts/${attempt.id}/stop`, { method: "POST", body: { reason } });
      say(`Asked ${agent.name} to stop the attempt`);
      done();
    },
  });
  const columns: Column<Attempt>[] = [
    { name: "Attempt", cell: (attempt) => <AttemptLink attempt={attempt} /> },
    { name: "State", cell: (attempt) => <AttemptBadge attempt={attempt} /> },
    { name: "Queue", cell: (attempt) => <Tags names={[attempt.queue]} /> },
    { name: "Queued for", hideBelow: "md", cell: (attempt) => duration(attempt.waited) },
    {
      name: "Running for",
      cell: (attempt) => (
        <Text whiteSpace="nowrap">
          {attempt.granted_at ? duration((Date.now() - Date.parse(attempt.granted_at)) / 1000) : "not started"}
        </Text>
      ),
    },
    {
      name: "Actions",
      quiet: true,
      cell: (attempt) =>
        may("deployment.agents.update") && attempt.state === "running" ? <Ask action={stop(attempt)} ask={ask} /> : undefined,
    },
  ];
  return agent.running.length === 0 ? (
    <Text color="fg.muted">No attempt is running.</Text>
  ) : (
    <DataTable label="Running attempts" columns={columns} rows={agent.running} id={(attempt) => attempt.id} />
  );
}

export function RecentAttempts({ agent }: { agent: Agent }) {
  const polled = usePolled<Page<Attempt>>(`/attempts?agent_id=${agent.id}&state=finished&limit=10`, 5);
  const columns: Column<Attempt>[] = [
    { name: "Attempt", cell: (attempt) => <AttemptLink attempt={attempt} /> },
    { name: "Task state", cell: (attempt) => <TaskStateBadge attempt={attempt} /> },
    { name: "Process", cell: (attempt) => <ProcessBadge attempt={attempt} /> },
    { name: "Ended", cell: (attempt) => <When at={attempt.finished_at} /> },
    { name: "Reason", cell: (attempt) => <Clamped text={attempt.reason} of={`reason that ${attempt.label || attempt.id} ended`} /> },
  ];
  return (
    <Part title="Recent attempts">
      <Shown polled={polled} what="attempts">
        {(page) =>
          page.items.length === 0 ? (
            <Text color="fg.muted">No attempt has ended yet.</Text>
          ) : (
            <DataTable label="Recent attempts" columns={columns} rows={page.items} id={(each) => each.id} />
          )
        }
      </Shown>
    </Part>
  );
}
