import { useEffect, useState } from "react";

import { asRefused, type Refused } from "../../data/api";
import { useSource } from "../../data/source";
import type { AskRecipes, Recipe, Recipes } from "../../data/types/recipes";

const PAUSE = 250; // milliseconds without a key pressed, after which the plane is asked

export type Answered = {
  recipes: Recipe[];
  problems: string[];
  problem: (field: string) => string;
  waiting: boolean;
  error: Refused | undefined;
};

/** What the plane makes of it, asked a moment after the last key. The recipes before stay until there are others. */
export function useRecipes(wanted: AskRecipes): Answered {
  const { call } = useSource();
  const [state, setState] = useState<{ of?: AskRecipes; answer?: Recipes; kept: Recipe[]; error?: Refused }>({ kept: [] });
  useEffect(() => {
    const asking = new AbortController();
    const timer = setTimeout(() => {
      call<Recipes>("/recipes", { method: "POST", body: wanted, signal: asking.signal }).then(
        (answer) =>
          setState((before) => ({
            of: wanted,
            answer,
            kept: answer.recipes.length ? answer.recipes : before.kept,
          })),
        (problem: unknown) => {
          if (!asking.signal.aborted) {
            setState((before) => ({ of: wanted, kept: before.kept, error: asRefused(problem) }));
          }
        },
      );
    }, PAUSE);
    return () => {
      clearTimeout(timer);
      asking.abort();
    };
  }, [call, wanted]);
  return {
    recipes: state.answer?.problems.length ? [] : state.kept,
    problems: state.answer?.problems.map((each) => each.message) ?? [],
    problem: (field) => state.answer?.problems.find((each) => each.field === field)?.message ?? "",
    waiting: state.of !== wanted,
    error: state.error,
  };
}
