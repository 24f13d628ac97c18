import { Breadcrumb } from "@chakra-ui/react";
import { Fragment } from "react";
import { Link as RouterLink } from "react-router-dom";

/** The pages above this one, and its own name. */
export function Breadcrumbs({ above, name }: { above: { name: string; to: string }[]; name: string }) {
  return (
    <Breadcrumb.Root size="sm" mb={2}>
      <Breadcrumb.List>
        {above.map((each) => (
          <Fragment key={each.to}>
            <Breadcrumb.Item>
              <Breadcrumb.Link asChild>
                <RouterLink to={each.to}>{each.name}</RouterLink>
              </Breadcrumb.Link>
            </Breadcrumb.Item>
            <Breadcrumb.Separator />
          </Fragment>
        ))}
        <Breadcrumb.Item>
          <Breadcrumb.CurrentLink>{name}</Breadcrumb.CurrentLink>
        </Breadcrumb.Item>
      </Breadcrumb.List>
    </Breadcrumb.Root>
  );
}
