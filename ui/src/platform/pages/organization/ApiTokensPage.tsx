import { Button } from "@chakra-ui/react";
import { useState } from "react";

import { PageTop } from "../../parts/page";
import { ApiTokens } from "./ApiTokens";

/** API tokens of the organization, its workspaces and Deployments. A value is shown once, when it is made. */
export function ApiTokensPage() {
  const [creating, setCreating] = useState(false);
  return (
    <>
      <PageTop
        title="API tokens"
        help="A token has one role on one scope. The platform keeps a hash of its value only, so a value cannot be viewed again."
      >
        <Button size="sm" colorPalette="brand" onClick={() => setCreating(true)}>
          Create API token
        </Button>
      </PageTop>
      <ApiTokens personal={false} creating={creating} onDone={() => setCreating(false)} />
    </>
  );
}
