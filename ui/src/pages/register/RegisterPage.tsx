import { SimpleGrid, Text, VStack } from "@chakra-ui/react";
import { useMemo, useState } from "react";

import { AgentStep } from "./AgentStep";
import { Arrival } from "./Arrival";
import { Commands } from "./Commands";
import { DagsStep } from "./DagsStep";
import { askOf, EMPTY, type Form } from "./form";
import { SiteStep } from "./SiteStep";
import { Step } from "./Step";
import { TokenStep } from "./TokenStep";
import { useRecipes } from "./useRecipes";

/** From nothing to an agent that is connected: a token, the commands, and the moment it arrives. */
export function RegisterPage() {
  const [form, setForm] = useState(EMPTY);
  const set = (part: Partial<Form>) => setForm((before) => ({ ...before, ...part }));
  const wanted = useMemo(() => askOf(form), [form]);
  const answered = useRecipes(wanted);
  const { problem } = answered;
  const step = { form, set, problem };
  return (
    <SimpleGrid columns={{ base: 1, xl: 2 }} gap={8} maxW="100em">
      <VStack align="stretch" gap={6}>
        <Step number={1} title="Agent">
          <AgentStep {...step} />
        </Step>
        <Step number={2} title="Dags">
          <DagsStep {...step} />
        </Step>
        <Step number={3} title="Site and token">
          <SiteStep {...step} />
          <TokenStep name={wanted.name} site={wanted.site} problem={problem("name") || problem("site")} />
        </Step>
      </VStack>
      <VStack align="stretch" gap={6}>
        <Step number={4} title="Start the agent">
          <Commands answered={answered} image={form.image} setImage={(image) => set({ image })} />
        </Step>
        <Step number={5} title="Check the connection">
          {problem("name") ? <Text color="fg.muted">Enter an agent name first.</Text> : <Arrival name={wanted.name} />}
        </Step>
      </VStack>
    </SimpleGrid>
  );
}
