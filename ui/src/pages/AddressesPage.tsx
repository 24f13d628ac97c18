import { Nothing } from "../parts/states";

export function AddressesPage() {
  return <Nothing title="There is no such page" />;
}
