// Which page is shown at which address.
import { useMemo, type ReactNode } from "react";
import { Navigate, Route, Routes } from "react-router-dom";

import { SourceContext } from "../data/source";
import { usePolled } from "../data/usePolled";
import { News, SayContext, useNews } from "../parts/news";
import { Loading, PageNotFound, Problem } from "../parts/states";
import type { Me } from "../../generated/platform";
import { MeContext } from "./data/permissions";
import { ofPlatform, signInPath } from "./data/platform";
import { Shell } from "./shell/Shell";
import { DeploymentPage } from "./pages/deployment/DeploymentPage";
import { DeploymentsPage } from "./pages/DeploymentsPage";
import { HomePage } from "./pages/HomePage";
import { MePage } from "./pages/MePage";
import { NewDeploymentPage } from "./pages/newDeployment/NewDeploymentPage";
import { OperationPage } from "./pages/OperationPage";
import { OperationsPage } from "./pages/OperationsPage";
import { OrganizationPage } from "./pages/organization/OrganizationPage";
import { SignInPage } from "./pages/SignInPage";
import { TerminalSignInPage } from "./pages/TerminalSignInPage";
import { WelcomePage } from "./pages/WelcomePage";

export function Platform() {
  const [news, say] = useNews();
  return (
    <SourceContext.Provider value={ofPlatform}>
      <SayContext.Provider value={say}>
        <Routes>
          <Route path="sign-in" element={<SignInPage />} />
          <Route path="welcome" element={<WelcomePage />} />
          <Route
            path="terminal-sign-in"
            element={
              <SignedIn>
                <TerminalSignInPage />
              </SignedIn>
            }
          />
          <Route
            path="*"
            element={
              <SignedIn>
                <Shell>
                  <SignedInRoutes />
                </Shell>
              </SignedIn>
            }
          />
        </Routes>
        <News>{news}</News>
      </SayContext.Provider>
    </SourceContext.Provider>
  );
}

function SignedInRoutes() {
  return (
    <Routes>
      <Route index element={<HomePage />} />
      <Route path="deployments" element={<DeploymentsPage />} />
      <Route path="deployments/new" element={<NewDeploymentPage />} />
      <Route path="deployments/:deployment/*" element={<DeploymentPage />} />
      <Route path="operations" element={<OperationsPage />} />
      <Route path="operations/:operation" element={<OperationPage />} />
      <Route path="organization/*" element={<OrganizationPage />} />
      <Route path="me" element={<MePage />} />
      <Route path="*" element={<PageNotFound />} />
    </Routes>
  );
}

/** Its children, once it is known who is signed in; else the way to the sign-in page and back. */
function SignedIn({ children }: { children: ReactNode }) {
  const polled = usePolled<Me>("/me", 60);
  const me = useSame(polled.data);
  if (polled.error?.status === 401) {
    return <Navigate replace to={signInPath()} />;
  }
  if (me === undefined) {
    return polled.error ? <Problem error={polled.error} retry={polled.refresh} /> : <Loading what="the page" />;
  }
  return <MeContext.Provider value={me}>{children}</MeContext.Provider>;
}

/** The same object for as long as its text is the same: every minute's answer would draw every page anew. */
function useSame<Value>(value: Value | undefined): Value | undefined {
  const text = JSON.stringify(value);
  return useMemo(() => value, [text]);
}
