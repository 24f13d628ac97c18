import type { Agent } from "../../data/types/agents";
import type { Action } from "../../parts/dialogs";
import { RowButton } from "../../parts/RowButton";

/** What a part of the page needs for its actions: it asks for one, and says when it is done. */
export type Asking = { agent: Agent; ask: (action: Action) => void; done: () => void };

type Props = { action: Action; ask: Asking["ask"]; label?: string; size?: "xs" | "sm" };

/** Opens the question before the action. */
export function Ask({ action, ask, label, size = "xs" }: Props) {
  return (
    <RowButton size={size} dangerous={action.dangerous ?? false} label={action.title} onClick={() => ask(action)}>
      {label ?? action.submit}
    </RowButton>
  );
}
