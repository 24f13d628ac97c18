import { createContext, useContext } from "react";

import { request, signInUrl, airflowUrl, type Ask } from "./api";

/** Where the pages of agents run, and whom they ask: Airflow's own page, or the platform's page of a Deployment. */
export type Source = {
  call: <Answer>(path: string, ask?: Ask) => Promise<Answer>; // of the operator API; throws Refused and AbortError
  home: string; // the page Agents, as the router knows it
  airflow?: string; // Airflow's address, where its pages are not of the same router
  signIn: () => string;
};

export const ofAirflow: Source = {
  call: (path, ask) => request(new URL(`tradewind/v1${path}`, airflowUrl()), "The API server", ask),
  home: "/plugin/remote-agents",
  signIn: signInUrl,
};

export const SourceContext = createContext<Source>(ofAirflow);

export const useSource = () => useContext(SourceContext);
