/** What a person fills in on the page Register an agent. The plane checks it as it is typed. */
export type AskRecipes = {
  plane_url: string;
  name: string;
  components: string[];
  queues: string[];
  slots: number;
  bundle: {
    kind: string;
    name: string;
    repository: string;
    reference: string;
    folder: string;
    connection: string;
  };
  site: string;
  storage: string;
  secrets: { kind: string; place: string; role: string };
  logs: { url: string; connection: string; container: string };
  image: string;
  packages: string;
};

export type Recipe = { key: string; title: string; steps: { explained: string; what: string; text: string }[] };

export type Recipes = { recipes: Recipe[]; problems: { field: string; message: string }[] };
