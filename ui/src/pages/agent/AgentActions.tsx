import { HStack } from "@chakra-ui/react";
import { useNavigate } from "react-router-dom";

import { useHere } from "../../data/context";
import { useSource } from "../../data/source";
import type { Action } from "../../parts/dialogs";
import { Ask, type Asking } from "./Ask";

/** Cordon, resume, drain, or remove: what the agent's state allows. */
export function AgentActions({ agent, ask, done }: Asking) {
  const { may, say } = useHere();
  const { call, home } = useSource();
  const navigate = useNavigate();
  if (!may("deployment.agents.update")) {
    return undefined;
  }
  const send = (verb: string, said: string) => async (reason: string) => {
    await call(`/agents/${agent.id}/${verb}`, { method: "POST", body: { reason } });
    say(said);
    done();
  };
  const cordon: Action = {
    title: `Cordon ${agent.name}`,
    explained: "The agent gets no new work until you resume it, also after a restart. Running work continues.",
    submit: "Cordon",
    run: send("cordon", `${agent.name} is cordoned`),
  };
  const resume: Action = {
    title: `Resume ${agent.name}`,
    explained: "The agent gets new work again.",
    submit: "Resume",
    run: send("resume", `${agent.name} is resumed`),
  };
  const drain: Action = {
    title: `Drain ${agent.name}`,
    explained: "The agent takes no new work, finishes its running work, and exits. You cannot undo this. Start the agent again afterwards.",
    submit: "Drain",
    dangerous: true,
    run: send("drain", `${agent.name} is draining`),
  };
  const remove: Action = {
    title: `Remove ${agent.name}`,
    explained: "The plane forgets the agent and keeps its events. If the agent connects again, it is listed again.",
    submit: "Remove",
    dangerous: true,
    run: async (reason) => {
      await call(`/agents/${agent.id}`, { method: "DELETE", query: { reason } });
      say(`${agent.name} is removed`);
      void navigate(home);
    },
  };
  if (agent.state === "lost" || agent.state === "offline") {
    return <Ask action={remove} ask={ask} size="sm" />;
  }
  return (
    <HStack gap={2}>
      {agent.state === "cordoned" ? <Ask action={resume} ask={ask} size="sm" /> : undefined}
      {agent.state === "cordoned" || agent.state === "draining" ? undefined : <Ask action={cordon} ask={ask} size="sm" />}
      {agent.state === "draining" ? undefined : <Ask action={drain} ask={ask} size="sm" />}
    </HStack>
  );
}
