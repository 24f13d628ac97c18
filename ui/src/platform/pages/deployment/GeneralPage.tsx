import { Alert, Box, Button, Field, HStack, Input, Text, VStack } from "@chakra-ui/react";
import { useState, type FormEvent } from "react";

import { asRefused, type Refused } from "../../../data/api";
import type { Page } from "../../../data/types/page";
import { usePolled } from "../../../data/usePolled";
import { DescriptionField, ReasonField } from "../../../parts/fields";
import { useSay } from "../../../parts/news";
import { Problem } from "../../../parts/states";
import type { ChangeDeployment, DeploymentView, WorkspaceClusterView } from "../../../../generated/platform";
import type { OfDeployment } from "../../data/deployments";
import { linesOf } from "../../data/lines";
import { allows, useMe } from "../../data/permissions";
import { ifMatch, ofPlatform, referenceOf } from "../../data/platform";
import { ContactsField } from "../../parts/ContactsField";
import { PolicyField } from "../../parts/PolicyField";
import { SizeField } from "../../parts/SizeField";

type Edited = { description: string; contact_emails: string; policy: string; size: string };
const NAMES: Record<keyof Edited, string> = { description: "Description", contact_emails: "Contact e-mails", policy: "Data policy", size: "Size" };
const FIELDS = Object.keys(NAMES) as (keyof Edited)[];
const edited = ({ description, contact_emails, policy, size }: DeploymentView): Edited => ({
  description,
  contact_emails: contact_emails.join("\n"),
  policy,
  size,
});
const sent = (field: keyof Edited, wanted: Edited) => (field === "contact_emails" ? linesOf(wanted.contact_emails) : wanted[field]);
/** Of a change that its processes have to know. */
const restarts = (one: Edited, other: Edited) => one.policy !== other.policy || one.size !== other.size;

/** What a Deployment is described with. A change that its Airflow has to know restarts it, one process after the other. */
export function GeneralPage({ deployment, done }: OfDeployment) {
  const me = useMe();
  const say = useSay();
  const mayChange = allows(me, "deployment.config.update", { workspace: deployment.workspace, deployment: deployment.id });
  const [loaded, setLoaded] = useState(deployment); // what the person saw when they began
  const [wanted, setWanted] = useState<Edited>(edited(deployment));
  const [reason, setReason] = useState("");
  const [error, setError] = useState<Refused>();
  const [newer, setNewer] = useState<DeploymentView>();
  const [busy, setBusy] = useState(false);
  const changed = FIELDS.filter((each) => wanted[each] !== edited(loaded)[each]);
  const path = `/deployments/${referenceOf(deployment)}`;
  const seesClusters = mayChange && allows(me, "workspace.get", { workspace: deployment.workspace });
  const clusters = usePolled<Page<WorkspaceClusterView>>(seesClusters ? `/workspaces/${deployment.workspace}/clusters?limit=1000` : undefined, 60).data?.items;
  const sizes = clusters?.find((each) => each.id === deployment.cluster)?.sizes ?? [];

  const restart = (from: DeploymentView) => {
    setLoaded(from);
    setNewer(undefined);
    setError(undefined);
  };
  const send = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      const body: ChangeDeployment = Object.fromEntries(changed.map((each) => [each, sent(each, wanted)]));
      const answer = await ofPlatform.call<DeploymentView>(path, {
        method: "PATCH",
        body,
        query: { reason: reason.trim() },
        headers: ifMatch(loaded.revision),
      });
      restart(answer);
      setWanted(edited(answer));
      setReason("");
      say(answer.operation === null ? "Saved" : "Saved; an operation applies it");
      done();
    } catch (problem) {
      const refused = asRefused(problem);
      setError(refused);
      if (refused.status === 412) {
        setNewer(await ofPlatform.call<DeploymentView>(path).catch(() => undefined));
      }
    } finally {
      setBusy(false);
    }
  };
  return (
    <form onSubmit={(event) => void send(event)}>
      <VStack align="stretch" gap={5} maxW="40em" asChild>
        <fieldset disabled={!mayChange}>
          <Field.Root readOnly>
            <Field.Label>Name</Field.Label>
            <Input readOnly value={deployment.name} />
            <Field.HelperText>You cannot change the name: addresses and commands contain it.</Field.HelperText>
          </Field.Root>
          <DescriptionField description={wanted.description} set={(description) => setWanted({ ...wanted, description })} />
          <ContactsField text={wanted.contact_emails} set={(contact_emails) => setWanted({ ...wanted, contact_emails })} />
          <PolicyField value={wanted.policy} set={(policy) => setWanted({ ...wanted, policy })} />
          <SizeField sizes={sizes} size={wanted.size} set={(size) => setWanted({ ...wanted, size })} />
          {restarts(wanted, edited(loaded)) ? (
            <Alert.Root status="info">
              <Alert.Indicator />
              <Alert.Title>This restarts the API servers and the scheduler. Tasks go on at their sites.</Alert.Title>
            </Alert.Root>
          ) : undefined}
          {changed.length ? (
            <ReasonField reason={reason} set={setReason} />
          ) : undefined}
          {newer ? (
            <Conflict
              before={loaded}
              newer={newer}
              keep={() => restart(newer)}
              take={() => {
                restart(newer);
                setWanted(edited(newer));
              }}
            />
          ) : error ? (
            <Problem error={error} />
          ) : undefined}
          {mayChange ? (
            <HStack gap={3}>
              <Button type="submit" colorPalette="brand" loading={busy} disabled={changed.length === 0 || newer !== undefined}>
                Save
              </Button>
              {changed.length ? (
                <Button variant="outline" onClick={() => setWanted(edited(loaded))}>
                  Discard changes
                </Button>
              ) : undefined}
            </HStack>
          ) : (
            <Text color="fg.muted">Your role cannot change this Deployment. Ask an owner of its workspace for the role of an operator.</Text>
          )}
        </fieldset>
      </VStack>
    </form>
  );
}

const said = (field: keyof Edited, { [field]: text }: Edited) => text.replaceAll("\n", ", ") || (field === "size" ? "default" : "");

/** Another person saved meanwhile: what is different now, and what to do with the own changes. */
function Conflict(props: { before: DeploymentView; newer: DeploymentView; keep: () => void; take: () => void }) {
  const before = edited(props.before);
  const newer = edited(props.newer);
  const different = FIELDS.filter((each) => before[each] !== newer[each]);
  return (
    <Alert.Root status="warning" alignItems="flex-start">
      <Alert.Indicator />
      <Alert.Content>
        <Alert.Title>{props.newer.updated_by || "Another person"} changed this Deployment since you opened the page</Alert.Title>
        <Alert.Description>
          {different.length === 0 ? (
            <Text>None of the fields of this page is different.</Text>
          ) : (
            different.map((each) => (
              <Text key={each}>
                {NAMES[each]} is now “{said(each, newer)}”, and was “{said(each, before)}”.
              </Text>
            ))
          )}
          <Box mt={3}>
            <HStack gap={2}>
              <Button size="sm" variant="outline" onClick={props.keep}>
                Keep my changes
              </Button>
              <Button size="sm" variant="outline" onClick={props.take}>
                Take theirs
              </Button>
            </HStack>
          </Box>
        </Alert.Description>
      </Alert.Content>
    </Alert.Root>
  );
}
