// The platform's API, and the operator API of a Deployment through it.
import { request, type Ask } from "../../data/api";
import type { Source } from "../../data/source";
import type { DeploymentView } from "../../../generated/platform";

/** The page to come back to after sign-in. */
export const signInPath = () => {
  const { pathname, search } = globalThis.location;
  return `/sign-in?next=${encodeURIComponent(pathname + search)}`;
};

/** Ask for a path of the platform's own address. A POST is made once, also where it is sent twice. */
export function ask<Answer>(path: string, asked: Ask = {}): Promise<Answer> {
  const once: Record<string, string> = asked.method === "POST" ? { "Idempotency-Key": crypto.randomUUID() } : {};
  const headers = { ...once, ...asked.headers };
  return request<Answer>(new URL(path, globalThis.location.origin), "The platform", { ...asked, headers });
}

export const ofPlatform: Source = {
  call: (path, asked) => ask(`/v1${path}`, asked),
  home: "/",
  signIn: signInPath,
};

/** A Deployment in a path of the API and of the pages: by its name, or by its id once its name may be another's. */
export const referenceOf = (deployment: DeploymentView) =>
  deployment.phase === "purged" ? deployment.id : deployment.name;

/** The operator API of a Deployment, as the signed-in person. */
export function ofDeployment(deployment: DeploymentView): Source {
  const reference = referenceOf(deployment);
  return {
    call: (path, asked) => ask(`/v1/deployments/${reference}/airflow/tradewind/v1${path}`, asked),
    home: `/deployments/${reference}/remote-agents`,
    airflow: `${deployment.people_url}/`,
    signIn: signInPath,
  };
}

/** The header that lets a change through only where no other person changed the thing meanwhile. */
export const ifMatch = (revision: number) => ({ "If-Match": `"${revision}"` });
