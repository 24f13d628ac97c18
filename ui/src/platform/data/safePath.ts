/** A path of the platform's own pages to go to after sign-in. Anything else, such as another host, is the first page. */
export function safePath(next: string | null): string {
  if (next === null) {
    return "/";
  }
  let address: URL;
  try {
    address = new URL(next, globalThis.location.origin);
  } catch {
    return "/";
  }
  if (address.origin !== globalThis.location.origin || address.pathname.startsWith("//")) {
    return "/";
  }
  return address.pathname + address.search + address.hash;
}
