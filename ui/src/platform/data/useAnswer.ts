import { useEffect, useState } from "react";

import { asRefused, type Refused } from "../../data/api";
import { ask } from "./platform";

/** What the platform answers at a path outside of `/v1`, asked once. */
export function useAnswer<Answer>(path: string): { data?: Answer; error?: Refused } {
  const [state, setState] = useState<{ data?: Answer; error?: Refused }>({});
  useEffect(() => {
    const asking = new AbortController();
    ask<Answer>(path, { signal: asking.signal }).then(
      (data) => setState({ data }),
      (problem: unknown) => {
        if (!asking.signal.aborted) {
          setState({ error: asRefused(problem) });
        }
      },
    );
    return () => asking.abort();
  }, [path]);
  return state;
}
