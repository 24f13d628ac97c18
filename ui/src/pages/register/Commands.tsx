import { Box, Tabs, Text, VStack } from "@chakra-ui/react";
import { useState } from "react";

import { Copyable } from "../../parts/Copyable";
import { TextField } from "../../parts/fields";
import { Problem } from "../../parts/states";
import type { Answered } from "./useRecipes";

/** The commands and files that start the agent, by where it runs. */
export function Commands({
  answered,
  image,
  setImage,
}: {
  answered: Answered;
  image: string;
  setImage: (image: string) => void;
}) {
  const { recipes, problem, error, waiting } = answered;
  const [tab, setTab] = useState("host");
  if (error) {
    return <Problem error={error} />;
  }
  if (recipes.length === 0) {
    return (
      <>
        {problem("image") ? <TextField label="Image" value={image} set={setImage} problem={problem("image")} /> : undefined}
        <Text color="fg.muted">The commands appear when the form is complete.</Text>
        <Box as="ul" color="fg.muted" fontSize="sm" pl={5} mt={2} listStyleType="disc">
          {answered.problems.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </Box>
      </>
    );
  }
  return (
    <Tabs.Root
      value={tab}
      onValueChange={(change: { value: string }) => setTab(change.value)}
      size="sm"
      lazyMount
      unmountOnExit
      aria-busy={waiting}
    >
      <Tabs.List aria-label="Where the agent runs">
        {recipes.map((recipe) => (
          <Tabs.Trigger key={recipe.key} value={recipe.key}>
            {recipe.title}
          </Tabs.Trigger>
        ))}
      </Tabs.List>
      {recipes.map((recipe) => (
        <Tabs.Content key={recipe.key} value={recipe.key}>
          <VStack align="stretch" gap={3}>
            {["container", "helm", "kubernetes"].includes(recipe.key) ? (
              <TextField label="Image" value={image} set={setImage} problem={problem("image")} />
            ) : undefined}
            {recipe.steps.map((step) => (
              <Box key={step.what}>
                <Text fontSize="sm" mb={1}>
                  {step.explained}
                </Text>
                <Copyable text={step.text} what={step.what} />
              </Box>
            ))}
          </VStack>
        </Tabs.Content>
      ))}
    </Tabs.Root>
  );
}
