// The frame of every page of somebody who is signed in: a rail of icons, as Airflow has, and the page beside it.
import { Alert, Box, Button, Flex, Link, Text } from "@chakra-ui/react";
import { useState, type ReactNode } from "react";
import { Link as RouterLink, useLocation } from "react-router-dom";

import { asRefused } from "../../data/api";
import { useSay } from "../../parts/news";
import type { SignedOut } from "../../../generated/platform";
import { allowsSomewhere, useMe } from "../data/permissions";
import { ask } from "../data/platform";
import { LineIcon, type IconName } from "../parts/icons";
import { chooseColourMode, chosenColourMode } from "./colourMode";

export function Shell({ children }: { children: ReactNode }) {
  const me = useMe();
  return (
    <Flex direction={{ base: "column", md: "row" }} minH="100%">
      <Link href="#page" position="absolute" top={-12} left={2} bg="bg" px={3} py={1} zIndex="skipNav" _focus={{ top: 2 }}>
        Skip to the page
      </Link>
      <Rail />
      <Box flex="1" minW={0} id="page" as="main" tabIndex={-1} _focusVisible={{ outline: "none" }}>
        {me.break_glass ? (
          <Alert.Root status="warning" borderRadius={0}>
            <Alert.Indicator />
            <Alert.Title>
              Emergency access: you signed in with a link of the platform's machine. Everything that you do is recorded.
            </Alert.Title>
          </Alert.Root>
        ) : undefined}
        <Box p={{ base: 3, md: 5 }} maxW="1600px">
          {children}
        </Box>
      </Box>
    </Flex>
  );
}

function Rail() {
  const me = useMe();
  const { pathname } = useLocation();
  const [dark, setDark] = useState(chosenColourMode() === "dark");
  const say = useSay();
  const entries: { name: string; to: string; icon: IconName; shown: boolean }[] = [
    { name: "Home", to: "/", icon: "home", shown: true },
    { name: "Deployments", to: "/deployments", icon: "deployments", shown: true },
    { name: "Operations", to: "/operations", icon: "operations", shown: true },
    {
      name: "Organization",
      to: "/organization",
      icon: "organization",
      shown: ["clusters.get", "members.get", "apiTokens.get", "audit.get"].some((each) => allowsSomewhere(me, each)),
    },
  ];
  const signOut = async () => {
    try {
      const { url } = await ask<SignedOut>("/sign-out", { method: "POST" });
      globalThis.location.assign(url ?? "/sign-in?signed-out");
    } catch (problem) {
      say(asRefused(problem).message);
    }
  };
  const colour = () => {
    chooseColourMode(dark ? "light" : "dark");
    setDark(!dark);
  };
  return (
    <Flex
      as="nav"
      aria-label="Main"
      direction={{ base: "row", md: "column" }}
      justify="space-between"
      bg="bg.muted"
      borderEndWidth={{ md: 1 }}
      borderBottomWidth={{ base: 1, md: 0 }}
      w={{ base: "100%", md: "88px" }}
      h={{ md: "100vh" }}
      position={{ md: "sticky" }}
      top={0}
      flexShrink={0}
      py={{ base: 1, md: 3 }}
      px={1}
      overflow="auto"
    >
      <Flex direction={{ base: "row", md: "column" }} gap={1} align="stretch">
        <Flex justify="center" align="center" px={2} py={1} color="brand.fg" hideBelow="md" title="Tradewind">
          <LineIcon name="mark" size="lg" />
        </Flex>
        {entries
          .filter((each) => each.shown)
          .map((each) => (
            <Entry key={each.to} {...each} current={isAt(pathname, each.to)} />
          ))}
      </Flex>
      <Flex direction={{ base: "row", md: "column" }} gap={1} align="stretch">
        <Entry name={me.name} label={`${me.name}, your account`} to="/me" icon="me" current={isAt(pathname, "/me")} />
        <Act name={dark ? "Light" : "Dark"} label={dark ? "Light mode" : "Dark mode"} icon={dark ? "sun" : "moon"} onClick={colour} />
        <Act name="Sign out" label="Sign out" icon="signOut" onClick={() => void signOut()} />
      </Flex>
    </Flex>
  );
}

const isAt = (pathname: string, to: string) => (to === "/" ? pathname === "/" : pathname === to || pathname.startsWith(`${to}/`));

function Entry(props: { name: string; label?: string; to: string; icon: IconName; current: boolean }) {
  return (
    <Box
      asChild
      display="flex"
      flexDirection="column"
      alignItems="center"
      gap={1}
      px={1}
      py={2}
      borderRadius="md"
      fontSize="xs"
      minW={{ base: "4em", md: 0 }}
      color={props.current ? "brand.fg" : "fg.muted"}
      bg={props.current ? "brand.muted" : "transparent"}
      _hover={{ bg: "bg.emphasized", color: "fg" }}
    >
      <RouterLink
        to={props.to}
        aria-label={props.label ?? props.name}
        {...(props.current ? { "aria-current": "page" as const } : {})}
      >
        <LineIcon name={props.icon} />
        <Text as="span" fontSize="xs" maxW="76px" truncate hideBelow="sm">
          {props.name}
        </Text>
      </RouterLink>
    </Box>
  );
}

function Act(props: { name: string; label: string; icon: IconName; onClick: () => void }) {
  return (
    <Button
      variant="ghost"
      h="auto"
      py={2}
      px={1}
      minW={{ base: "4em", md: 0 }}
      flexDirection="column"
      gap={1}
      color="fg.muted"
      fontWeight="normal"
      aria-label={props.label}
      onClick={props.onClick}
    >
      <LineIcon name={props.icon} />
      <Text as="span" fontSize="xs" hideBelow="sm">
        {props.name}
      </Text>
    </Button>
  );
}
