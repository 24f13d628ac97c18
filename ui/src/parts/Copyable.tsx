import { Box, Button, Code, Flex } from "@chakra-ui/react";
import { useState } from "react";

import { useSay } from "./news";

/** Text to take along: a token, a command, a file. */
export function Copyable({ text, what }: { text: string; what: string }) {
  const say = useSay();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await writeToClipboard(text);
    setCopied(true);
    say(`Copied: ${what}`);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <Flex align="flex-start" gap={2} w="100%">
      <Box
        role="region"
        aria-label={what}
        tabIndex={0}
        flex="1"
        minW={0}
        overflowX="auto"
        bg="bg.muted"
        borderWidth={1}
        borderRadius="md"
      >
        <Code as="pre" display="block" whiteSpace="pre" p={3} fontSize="sm" bg="transparent" color="fg">
          {text}
        </Code>
      </Box>
      <Button size="sm" variant="outline" aria-label={`Copy ${what}`} onClick={() => void copy()}>
        {copied ? "Copied" : "Copy"}
      </Button>
    </Flex>
  );
}

async function writeToClipboard(text: string): Promise<void> {
  if (globalThis.isSecureContext && navigator.clipboard !== undefined) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // a page over plain HTTP has no clipboard: let the browser copy a selection
  const field = document.createElement("textarea");
  field.value = text;
  field.style.position = "fixed";
  field.style.opacity = "0";
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
