// When a token ends: chosen as it is created, and shown afterwards.
import { Box, Text } from "@chakra-ui/react";

import { SelectField } from "./fields";
import { When } from "./marks";

const CHOICES = [
  ["30", "in 30 days"],
  ["90", "in 90 days"],
  ["365", "in a year"],
  ["1095", "in three years"],
  ["", "never"],
] as const;

/** `days` is empty for a token that never ends. */
export function ExpiresField({ days, set }: { days: string; set: (days: string) => void }) {
  return <SelectField label="Expires" optional options={CHOICES} value={days} set={set} />;
}

const isOver = (at: string | null) => at !== null && Date.parse(at) <= Date.now();

/** When the token ends, and how long the value before it was rotated stays valid. */
export function Expiry({ token }: { token: { expires_at: string | null; old_values_until: string | null } }) {
  const over = isOver(token.expires_at);
  return (
    <Box>
      {over ? (
        <Text color="fg.error">
          expired <When at={token.expires_at} />
        </Text>
      ) : (
        <When at={token.expires_at} />
      )}
      {over || token.old_values_until === null || isOver(token.old_values_until) ? undefined : (
        <Text color="fg.muted" fontSize="xs">
          old value expires <When at={token.old_values_until} />
        </Text>
      )}
    </Box>
  );
}
