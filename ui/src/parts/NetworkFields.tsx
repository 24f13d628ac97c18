import { Field, Input, SimpleGrid } from "@chakra-ui/react";

type Props = { network: string; setNetwork: (network: string) => void; description: string; setDescription: (description: string) => void };

/** A network for a list of allowed addresses, and what it is. */
export function NetworkFields({ network, setNetwork, description, setDescription }: Props) {
  return (
    <SimpleGrid columns={{ base: 1, md: 2 }} gap={3}>
      <Field.Root required>
        <Field.Label>Network</Field.Label>
        <Input required maxLength={64} placeholder="203.0.113.0/24" value={network} onChange={(event) => setNetwork(event.target.value)} />
      </Field.Root>
      <Field.Root>
        <Field.Label>Description</Field.Label>
        <Input maxLength={250} value={description} onChange={(event) => setDescription(event.target.value)} />
      </Field.Root>
    </SimpleGrid>
  );
}
