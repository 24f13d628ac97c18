import { Link } from "@chakra-ui/react";
import { Link as RouterLink } from "react-router-dom";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { Agent } from "../../data/types/agents";
import { EventTable } from "../events/EventTable";
import { Part } from "./Part";

/** The last events of the agent, and the way to all. */
export function AgentEvents({ agent }: { agent: Agent }) {
  const { may } = useHere();
  const { home } = useSource();
  const subject = `agent:${agent.name}`;
  return may("audit") ? (
    <Part title="Events">
      <EventTable query={`subject=${encodeURIComponent(subject)}&limit=20`} seconds={5} subjects={false} />
      <Link asChild color="fg.info" fontSize="sm" mt={2} display="inline-block">
        <RouterLink to={`${home}/events?subject=${encodeURIComponent(subject)}`}>View all events</RouterLink>
      </Link>
    </Part>
  ) : undefined;
}
