// Signs of an attempt: its state, how its process ended, and its task in Airflow.
import { Badge, Link, Text } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { useSource } from "../data/source";
import type { Attempt } from "../data/types/attempts";
import { spaced } from "../data/words";

export function AttemptBadge({ attempt }: { attempt: Attempt }) {
  return (
    <Badge colorPalette={attempt.state === "running" ? "blue" : "gray"} variant="surface">
      {attempt.state}
    </Badge>
  );
}

const PROCESSES: Record<string, string> = { exited: "gray", killed: "red", stopped: "orange", broken: "red", lost: "red" };

/** How the attempt's process ended; its exit code only when that is not 0. */
export function ProcessBadge({ attempt }: { attempt: Attempt }) {
  if (attempt.process === null) return <Text color="fg.muted">–</Text>;
  const detail = attempt.signal ?? (attempt.exit_code ? String(attempt.exit_code) : "");
  return (
    <Badge colorPalette={PROCESSES[attempt.process] ?? "gray"} variant="surface" textTransform="none">
      {`${attempt.process} ${detail}`.trim()}
    </Badge>
  );
}

const TASK_STATES: Record<string, string> = { success: "green", failed: "red", up_for_retry: "orange", skipped: "pink" };

/** The state in which the process left its task. */
export function TaskStateBadge({ attempt }: { attempt: Attempt }) {
  if (attempt.task_state === null) return <Text color="fg.muted">–</Text>;
  return (
    <Badge colorPalette={TASK_STATES[attempt.task_state] ?? "gray"} variant="surface" textTransform="none">
      {attempt.task_state.replaceAll("_", " ")}
    </Badge>
  );
}

/** The attempt's task instance in Airflow's own pages. */
export function AttemptLink({ attempt }: { attempt: Attempt }) {
  const { airflow } = useSource();
  const words = attempt.label || `${spaced(attempt.kind)} ${attempt.id}`;
  if (attempt.dag_id === null || attempt.run_id === null || attempt.task_id === null) {
    return <Text>{words}</Text>;
  }
  const [dag, run, task] = [attempt.dag_id, attempt.run_id, attempt.task_id].map(encodeURIComponent);
  const mapped = attempt.map_index >= 0 ? `/mapped/${attempt.map_index}` : "";
  const tried = attempt.try_number ? `?try_number=${attempt.try_number}` : "";
  const path = `dags/${dag}/runs/${run}/tasks/${task}${mapped}${tried}`;
  return airflow === undefined ? (
    <Link asChild color="fg.info">
      <RouterLink to={`/${path}`}>{words}</RouterLink>
    </Link>
  ) : (
    <Link color="fg.info" href={new URL(path, airflow).href}>
      {words}
    </Link>
  );
}
