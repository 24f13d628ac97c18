import { Badge, Button, HStack, Text } from "@chakra-ui/react";
import { useState } from "react";

import type { Column } from "../../../parts/DataTable";
import { ReasonDialog, type Action } from "../../../parts/dialogs";
import { When } from "../../../parts/marks";
import { useSay } from "../../../parts/news";
import { RowButton } from "../../../parts/RowButton";
import { ofPlatform } from "../../data/platform";
import { Panel } from "../../parts/page";
import { PagedTable } from "../../parts/PagedTable";
import { EntryForm, type Entered } from "./EntryForm";
import { isLocked, isOwn, type Layer } from "./layer";

/** An option or a variable, as the table has it. */
export type Entry = Entered & { origin: string; updated_at: string; updated_by: string; applied: boolean };

type Props = {
  title: string;
  one: string; // "variable"
  layer: Layer;
  part: "variables" | "configuration"; // of the layer's path
  entries: Entry[];
  help: string;
  namePattern: string;
  nameHelp: string;
  canBeSecret?: boolean;
  done: () => void;
};

const NEW: Entered = { name: "", value: "", secret: false, locked: false };

/** What counts in a layer, with the layer that each entry is from; entries of its own are added, changed and removed. */
export function EntriesPanel(props: Props) {
  const { layer, one, part, done } = props;
  const say = useSay();
  const [form, setForm] = useState<{ from: Entered; isNew: boolean }>();
  const [action, setAction] = useState<Action>();
  const path = (name: string) => `${layer.path}/${part}/${encodeURIComponent(name)}`;

  const save = async ({ name, value, secret, locked }: Entered, reason: string) => {
    const body = props.canBeSecret ? { value, is_secret: secret, locked } : { value, locked };
    await ofPlatform.call(path(name), { method: "PUT", body, query: { reason } });
    say(`The ${one} ${name} is set`);
    done();
  };
  const remove = ({ name }: Entry): Action => ({
    title: `Remove ${name}`,
    explained: "The value of the layer around it counts then, or none.",
    submit: "Remove",
    dangerous: true,
    run: async (reason) => {
      await ofPlatform.call(path(name), { method: "DELETE", query: { reason } });
      say(`The ${one} ${name} was removed`);
      done();
    },
  });

  const columns: Column<Entry>[] = [
    { name: "Name", cell: (each) => <Text as="code" display="block" minW="9em" overflowWrap="anywhere">{each.name}</Text> },
    { name: "Value", cell: value },
    {
      name: "From",
      cell: (each) => (
        <HStack gap={1} wrap="wrap">
          <Badge variant="outline">{each.origin}</Badge>
          {each.locked ? (
            <Badge variant="surface" colorPalette="purple">
              locked
            </Badge>
          ) : undefined}
        </HStack>
      ),
    },
    ...(layer.word === "deployment"
      ? [{ name: "Applied", cell: (each: Entry) => <Badge variant="surface" colorPalette={each.applied ? "green" : "orange"}>{each.applied ? "yes" : "not yet"}</Badge> }]
      : []),
    {
      name: "Changed",
      hideBelow: "lg",
      cell: (each) => (
        <Text>
          <When at={each.updated_at} />
          {each.updated_by ? `, by ${each.updated_by}` : ""}
        </Text>
      ),
    },
    {
      name: "Actions",
      quiet: true,
      cell: (each) =>
        layer.mayChange && !isLocked(layer, each) ? (
          <HStack gap={2} justify="flex-end">
            <Button
              size="xs"
              variant="outline"
              aria-label={`${isOwn(layer, each) ? "Edit" : "Override"} ${each.name}`}
              onClick={() => setForm({ isNew: false, from: isOwn(layer, each) ? each : { ...each, locked: false } })}
            >
              {isOwn(layer, each) ? "Edit" : "Override"}
            </Button>
            {isOwn(layer, each) ? (
              <RowButton dangerous label={`Remove ${each.name}`} onClick={() => setAction(remove(each))}>
                Remove
              </RowButton>
            ) : undefined}
          </HStack>
        ) : undefined,
    },
  ];
  return (
    <Panel
      title={props.title}
      action={
        layer.mayChange ? (
          <Button size="sm" variant="outline" onClick={() => setForm({ from: NEW, isNew: true })}>
            Add {one}
          </Button>
        ) : undefined
      }
    >
      <Text color="fg.muted" mb={3}>
        {props.help}
      </Text>
      {props.entries.length === 0 ? (
        <Text>None is set.</Text>
      ) : (
        <PagedTable label={`List of ${one}s`} columns={columns} rows={props.entries} id={(each) => each.name} />
      )}
      {form ? (
        <EntryForm
          key={form.from.name}
          title={form.isNew ? `Add ${one}` : `Set ${form.from.name}`}
          layer={layer}
          from={form.from}
          isNew={form.isNew}
          namePattern={props.namePattern}
          nameHelp={props.nameHelp}
          canBeSecret={props.canBeSecret ?? false}
          onClose={() => setForm(undefined)}
          save={save}
        />
      ) : undefined}
      <ReasonDialog action={action} onClose={() => setAction(undefined)} />
    </Panel>
  );
}

function value(each: Entry) {
  if (each.secret) {
    return <Text color="fg.muted">secret, set</Text>;
  }
  return (
    <Text as="code" minW="9em" overflowWrap="anywhere" lineClamp={3} title={each.value}>
      {each.value}
    </Text>
  );
}
