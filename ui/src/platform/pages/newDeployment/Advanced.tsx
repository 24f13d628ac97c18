import { Box, Button, VStack } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";

import { TextAreaField } from "../../../parts/fields";
import { useMe } from "../../data/permissions";

type Props = {
  networks: string;
  setNetworks: (networks: string) => void;
  variables: string;
  setVariables: (variables: string) => void;
  children: ReactNode; // fields that come first
};

/** What a Deployment has from its first start on, and most people set later or never. */
export function Advanced({ networks, setNetworks, variables, setVariables, children }: Props) {
  const [open, setOpen] = useState(false);
  const me = useMe();
  const mine = me.session?.address;
  return (
    <Box>
      <Button type="button" variant="ghost" size="sm" px={1} aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Hide advanced settings" : "Advanced settings"}
      </Button>
      {open ? (
        <VStack align="stretch" gap={5} mt={3} ps={4} borderStartWidth="2px">
          {children}
          <TextAreaField
            label="Allowed addresses"
            rows={3}
            placeholder="203.0.113.0/24"
            help={`Networks from which agents may connect, in CIDR form, one per line. Leave empty to allow every address. ${mine ? `Your address: ${mine}. ` : ""}The list does not restrict people.`}
            value={networks}
            set={setNetworks}
          />
          <TextAreaField
            label="Environment variables"
            rows={3}
            placeholder="REGION=eu"
            help="For the processes of Airflow, one NAME=VALUE per line. Set secrets on the page Environment, which never shows them."
            value={variables}
            set={setVariables}
          />
        </VStack>
      ) : undefined}
    </Box>
  );
}
