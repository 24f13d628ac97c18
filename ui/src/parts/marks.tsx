// Small signs: names, moments, long texts.
import { Badge, Box, Button, Text, Wrap } from "@chakra-ui/react";
import { useState } from "react";

import { ago, moment } from "../data/words";

export function Tags({ names, empty = "none" }: { names: string[]; empty?: string }) {
  return names.length === 0 ? (
    <Text color="fg.muted">{empty}</Text>
  ) : (
    <Wrap gap={1}>
      {names.map((name) => (
        <Badge key={name} variant="outline" textTransform="none">
          {name}
        </Badge>
      ))}
    </Wrap>
  );
}

export function When({ at, never = "never" }: { at: string | null; never?: string }) {
  return at === null ? (
    <Text as="span" color="fg.muted">
      {never}
    </Text>
  ) : (
    <Text as="span" title={moment(at)} whiteSpace="nowrap">
      <time dateTime={at}>{ago(at)}</time>
    </Text>
  );
}

const SHORT = 140; // characters that fit into two lines of a table's cell

/** Two lines of a text that may have twenty, and a way to the rest. */
export function Clamped({ text, of, fontSize = "xs" }: { text: string; of: string; fontSize?: string }) {
  const [whole, setWhole] = useState(false);
  const long = text.length > SHORT || text.trim().split("\n").length > 2;
  return (
    <Box fontSize={fontSize} overflowWrap="anywhere">
      <Text fontSize="inherit" whiteSpace={whole ? "pre-wrap" : undefined} {...(whole ? {} : { lineClamp: 2 })}>
        {text}
      </Text>
      {long ? (
        <Button
          variant="plain"
          size="2xs"
          h="auto"
          px={0}
          color="fg.info"
          aria-expanded={whole}
          aria-label={whole ? `Show less: ${of}` : `Show more: ${of}`}
          onClick={() => setWhole(!whole)}
        >
          {whole ? "Show less" : "Show more"}
        </Button>
      ) : undefined}
    </Box>
  );
}

/** When something was done, and by whom. */
export function WhenBy({ at, by }: { at: string; by: string }) {
  return (
    <Box>
      <When at={at} />
      {by ? (
        <Text color="fg.muted" fontSize="xs">
          by {by}
        </Text>
      ) : undefined}
    </Box>
  );
}

/** A name, and what it is for below it. */
export function Described({ name, description }: { name: string; description: string }) {
  return (
    <Box>
      <Text fontWeight="semibold">{name}</Text>
      <Text color="fg.muted" fontSize="xs">
        {description}
      </Text>
    </Box>
  );
}

/** The first characters of a token. */
export function Prefix({ prefix }: { prefix: string }) {
  return (
    <Text fontFamily="mono" fontSize="xs">
      {prefix}
    </Text>
  );
}
