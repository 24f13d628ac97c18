// Questions a person answers before something happens.
import { Button, CloseButton, Dialog, Portal, Text, VStack } from "@chakra-ui/react";
import { useState, type FormEvent, type ReactNode } from "react";

import { asRefused, type Refused } from "../data/api";
import { CheckboxField, ReasonField, TextField } from "./fields";
import { Problem } from "./states";

/** A dialog with a form in it. `onSubmit` throws Refused to keep it open with the reason shown, and returns false to keep it open. */
export function FormDialog({
  title,
  open,
  onClose,
  submit,
  close = "Cancel",
  dangerous = false,
  wide = false,
  onSubmit,
  children,
}: {
  title: string;
  open: boolean;
  onClose: () => void;
  submit: string;
  close?: string; // what leaves everything as it is
  dangerous?: boolean;
  wide?: boolean;
  onSubmit: () => Promise<void | boolean>;
  children: ReactNode;
}) {
  const [error, setError] = useState<Refused>();
  const [busy, setBusy] = useState(false);

  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      if ((await onSubmit()) !== false) {
        onClose();
      }
    } catch (problem) {
      setError(asRefused(problem));
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog.Root
      open={open}
      onOpenChange={(change: { open: boolean }) => (change.open ? undefined : onClose())}
      role={dangerous ? "alertdialog" : "dialog"}
      size={wide ? "lg" : "md"}
      lazyMount
      unmountOnExit
    >
      <Portal>
        <Dialog.Backdrop />
        <Dialog.Positioner>
          <Dialog.Content>
            <form onSubmit={(event) => void send(event)} style={{ display: "contents" }}>
              <Dialog.Header>
                <Dialog.Title>{title}</Dialog.Title>
              </Dialog.Header>
              <Dialog.Body>
                <VStack align="stretch" gap={4}>
                  {children}
                  {error ? <Problem error={error} /> : undefined}
                </VStack>
              </Dialog.Body>
              <Dialog.Footer>
                <Button variant="outline" type="button" onClick={onClose}>
                  {close}
                </Button>
                <Button type="submit" loading={busy} colorPalette={dangerous ? "red" : "brand"}>
                  {submit}
                </Button>
              </Dialog.Footer>
              <Dialog.CloseTrigger asChild>
                <CloseButton size="sm" type="button" aria-label="Close" />
              </Dialog.CloseTrigger>
            </form>
          </Dialog.Content>
        </Dialog.Positioner>
      </Portal>
    </Dialog.Root>
  );
}

/** Something a person can do to an agent, an attempt or a token, with the reason it is done for. */
export type Action = {
  title: string;
  explained: string;
  submit: string;
  dangerous?: boolean;
  close?: string;
  number?: { label: string; value: number; most: number };
  run: (reason: string, number: number) => Promise<void>;
};

/** Asks why. The reason goes to the audit trail and is shown with the agent. */
export function ReasonDialog({ action, onClose }: { action: Action | undefined; onClose: () => void }) {
  return action ? <Asking key={action.title} action={action} onClose={onClose} /> : undefined;
}

function Asking({ action, onClose }: { action: Action; onClose: () => void }) {
  const [reason, setReason] = useState("");
  const [number, setNumber] = useState(String(action.number?.value ?? 0));
  return (
    <FormDialog
      title={action.title}
      open
      onClose={onClose}
      submit={action.submit}
      {...(action.close ? { close: action.close } : {})}
      dangerous={action.dangerous ?? false}
      onSubmit={() => action.run(reason.trim(), Number(number))}
    >
      <Text>{action.explained}</Text>
      {action.number ? (
        <TextField
          label={action.number.label}
          required
          type="number"
          min={0}
          max={action.number.most}
          step={1}
          value={number}
          set={setNumber}
        />
      ) : undefined}
      <ReasonField reason={reason} set={setReason} />
    </FormDialog>
  );
}

/** Why, and whether a change that locks agents out is meant; `children` says what is applied even so. */
export function ReasonAndForce(props: {
  reason: string;
  onReason: (reason: string) => void;
  force: boolean;
  onForce: (force: boolean) => void;
  children: ReactNode;
}) {
  return (
    <>
      <ReasonField reason={props.reason} set={props.onReason} />
      <CheckboxField checked={props.force} set={props.onForce}>
        {props.children}
      </CheckboxField>
    </>
  );
}
