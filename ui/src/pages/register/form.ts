// What a person fills in to register an agent, and the question that the plane gets of it.
import type { AskRecipes } from "../../data/types/recipes";

export const COMPONENTS = ["worker", "dag_processor", "triggerer"];

export type Form = Omit<AskRecipes, "queues" | "slots"> & { queues: string; slots: string };

export const EMPTY: Form = {
  plane_url: "", // asked for if the plane has no agent_url; never the browser's address
  name: "my-site",
  site: "default",
  components: COMPONENTS,
  queues: "default",
  slots: "20",
  bundle: { kind: "git", name: "dags", repository: "", reference: "main", folder: "", connection: "" },
  storage: "",
  secrets: { kind: "", place: "", role: "" },
  logs: { url: "", connection: "", container: "" },
  image: "registry.example.com/airflow-agent:latest",
  packages: "/srv/tradewind/dist",
};

/** A step of the page: what is filled in, how that is changed, and what the plane says about a field. */
export type StepProps = {
  form: Form;
  set: (part: Partial<Form>) => void;
  problem: (field: string) => string;
};

/** Without the blanks around what was entered. */
export const askOf = (form: Form): AskRecipes => ({
  ...trimmed(form),
  queues: form.queues.split(/[\s,]+/u).filter(Boolean),
  slots: Math.trunc(Number(form.slots)) || 0,
  components: form.components,
  bundle: trimmed(form.bundle),
  secrets: trimmed(form.secrets),
  logs: trimmed(form.logs),
});

const trimmed = <Fields extends object>(fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value === "string" ? value.trim() : value])) as Fields;
