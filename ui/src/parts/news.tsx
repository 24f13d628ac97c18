import { Box } from "@chakra-ui/react";
import { createContext, useCallback, useContext, useEffect, useState, type ReactNode } from "react";

/** How a part of the page says what was done. */
export const SayContext = createContext<(news: string) => void>(() => undefined);

export const useSay = () => useContext(SayContext);

/** What was done last, for six seconds, and how a page says so. */
export function useNews(): [string, (news: string) => void] {
  const [news, setNews] = useState<{ text: string; number: number }>({ text: "", number: 0 });
  const say = useCallback((text: string) => setNews(({ number }) => ({ text, number: number + 1 })), []);
  useEffect(() => {
    if (news.text === "") {
      return undefined;
    }
    const timer = setTimeout(() => setNews(({ number }) => ({ text: "", number })), 6000);
    return () => clearTimeout(timer);
  }, [news]);
  return [news.text, say];
}

/** Shown in a corner, and read out by screen readers. */
export function News({ children }: { children: ReactNode }) {
  return (
    <Box role="status" aria-live="polite" position="fixed" bottom={4} insetInlineEnd={4} zIndex="toast">
      {children ? (
        <Box bg="bg.inverted" color="fg.inverted" borderRadius="md" px={4} py={2} shadow="md" fontSize="sm">
          {children}
        </Box>
      ) : undefined}
    </Box>
  );
}
