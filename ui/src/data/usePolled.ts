import { useCallback, useEffect, useRef, useState } from "react";

import { asRefused, type Refused } from "./api";
import { useSource } from "./source";

export type Polled<Answer> = {
  data: Answer | undefined; // the last good answer, kept while newer ones fail
  error: Refused | undefined; // of the last try
  at: number; // when `data` came, in milliseconds; 0: never
  refresh: () => void; // ask now
};

const SLOWEST = 30;

/**
 * What the API says, asked again every `seconds` while the page is looked at.
 *
 * A hidden page asks nothing. A page that is shown again asks at once. After a failure the pause doubles, up to 30 s.
 * A refusal for want of permission or sign-in is not asked again. `path` undefined asks nothing.
 */
export function usePolled<Answer>(path: string | undefined, seconds = 3): Polled<Answer> {
  const { call } = useSource();
  const [state, setState] = useState<{ of?: string; data?: Answer; error?: Refused; at: number }>({ at: 0 });
  const [round, setRound] = useState(0);
  const again = useRef(0);

  useEffect(() => {
    if (path === undefined) {
      return undefined;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let asking: AbortController | undefined;
    let failures = 0;
    let ended = false;

    const ask = async () => {
      clearTimeout(timer);
      if (ended || document.hidden || asking) {
        return;
      }
      asking = new AbortController();
      let final = false;
      try {
        const data = await call<Answer>(path, { signal: asking.signal });
        failures = 0;
        if (!ended) {
          setState({ of: path, data, at: Date.now() });
        }
      } catch (problem) {
        if (ended) {
          return;
        }
        failures += 1;
        const error = asRefused(problem);
        final = [401, 403, 404].includes(error.status);
        setState((before) => (before.of === path ? { ...before, error } : { of: path, error, at: 0 }));
      } finally {
        asking = undefined;
      }
      if (!ended && !final) {
        timer = setTimeout(() => void ask(), Math.min(seconds * 2 ** Math.min(failures, 4), Math.max(SLOWEST, seconds)) * 1000);
      }
    };
    const seen = () => {
      if (!document.hidden) {
        void ask();
      }
    };
    document.addEventListener("visibilitychange", seen);
    void ask();
    return () => {
      ended = true;
      clearTimeout(timer);
      asking?.abort();
      document.removeEventListener("visibilitychange", seen);
    };
  }, [call, path, seconds, round]);

  const refresh = useCallback(() => {
    again.current += 1;
    setRound(again.current);
  }, []);
  const mine = state.of === path; // an answer to another question is no answer
  return { data: mine ? state.data : undefined, error: mine ? state.error : undefined, at: mine ? state.at : 0, refresh };
}
