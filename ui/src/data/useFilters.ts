import { useSearchParams } from "react-router-dom";

export type Filters = {
  of: (name: string) => string; // empty where it is not set
  set: (name: string, value: string) => void; // and back to the newest, unless it is the offset that is set
  clear: () => void;
  any: boolean;
};

/** The filters of a list, in the page's address: a view can be kept and passed on. */
export function useFilters(): Filters {
  const [asked, setAsked] = useSearchParams();
  return {
    of: (name) => asked.get(name) ?? "",
    set: (name, value) =>
      setAsked(
        (before) => {
          const after = new URLSearchParams(before);
          value ? after.set(name, value) : after.delete(name);
          if (name !== "offset") {
            after.delete("offset");
          }
          return after;
        },
        { replace: true },
      ),
    clear: () => setAsked({}, { replace: true }),
    any: [...asked.keys()].length > 0,
  };
}
