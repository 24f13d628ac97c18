import { Box, Flex, Heading, Text } from "@chakra-ui/react";
import { Link as RouterLink, Navigate, Route, Routes, useLocation } from "react-router-dom";

import { Nothing, PageNotFound } from "../../../parts/states";
import { useMe } from "../../data/permissions";
import { ApiTokensPage } from "./ApiTokensPage";
import { AuditPage } from "./AuditPage";
import { AuthenticationPage } from "./AuthenticationPage";
import { ClusterPage } from "./ClusterPage";
import { ClustersPage } from "./ClustersPage";
import { InvitesPage } from "./InvitesPage";
import { RolesPage } from "./RolesPage";
import { SECTIONS } from "./sections";
import { TeamPage } from "./TeamPage";
import { TeamsPage } from "./TeamsPage";
import { UserPage } from "./UserPage";
import { UsersPage } from "./UsersPage";
import { WorkspacesPage } from "./WorkspacesPage";

/** The settings of the organization: a list of its parts, and the one that is open. */
export function OrganizationPage() {
  const me = useMe();
  const sections = SECTIONS.filter((each) => each.shown(me));
  const [first] = sections;
  return (
    <Flex direction={{ base: "column", lg: "row" }} gap={{ base: 3, lg: 6 }}>
      <SectionList />
      <Box flex="1" minW={0}>
        <Routes>
          <Route index element={first ? <Navigate replace to={first.path} /> : <Nothing title="Nothing to see here" />} />
          <Route path="workspaces" element={<WorkspacesPage />} />
          <Route path="clusters" element={<ClustersPage />} />
          <Route path="clusters/:cluster" element={<ClusterPage />} />
          <Route path="users" element={<UsersPage />} />
          <Route path="users/:user" element={<UserPage />} />
          <Route path="teams" element={<TeamsPage />} />
          <Route path="teams/:team" element={<TeamPage />} />
          <Route path="invites" element={<InvitesPage />} />
          <Route path="roles" element={<RolesPage />} />
          <Route path="authentication" element={<AuthenticationPage />} />
          <Route path="api-tokens" element={<ApiTokensPage />} />
          <Route path="audit" element={<AuditPage />} />
          <Route path="*" element={<PageNotFound />} />
        </Routes>
      </Box>
    </Flex>
  );
}

function SectionList() {
  const me = useMe();
  const { pathname } = useLocation();
  const open = pathname.split("/")[2];
  return (
    <Box as="nav" aria-label="Organization settings" w={{ lg: "13em" }} flexShrink={0}>
      <Heading as="h2" size="sm" hideBelow="lg" mb={1} px={3}>
        {me.organization}
      </Heading>
      <Text hideBelow="lg" color="fg.muted" fontSize="xs" mb={3} px={3}>
        Organization settings
      </Text>
      <Flex direction={{ base: "row", lg: "column" }} overflowX="auto" gap={1}>
        {SECTIONS.filter((each) => each.shown(me)).map((each) => (
          <Box
            key={each.path}
            asChild
            px={3}
            py={1.5}
            borderRadius="md"
            whiteSpace="nowrap"
            color={each.path === open ? "brand.fg" : "fg"}
            fontWeight={each.path === open ? "semibold" : "normal"}
            bg={each.path === open ? "brand.muted" : "transparent"}
            _hover={{ bg: "bg.emphasized" }}
          >
            <RouterLink
              to={`/organization/${each.path}`}
              {...(each.path === open ? { "aria-current": "page" as const } : {})}
            >
              {each.name}
            </RouterLink>
          </Box>
        ))}
      </Flex>
    </Box>
  );
}
