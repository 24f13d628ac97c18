export type AllowedNetwork = { network: string; description: string };

export type AllowedEndpoint = { endpoint: string; name: string };

export type RefusedTry = {
  source: string;
  endpoint: string;
  code: string;
  message: string;
  remedy: string;
  path: string;
  version: string;
  tries: number;
  first_at: string;
  last_at: string;
};

export type Connectivity = {
  source: string;
  endpoint: string;
  admitted: boolean | null;
  why: string;
  agents: string[];
  refused: RefusedTry[];
  verdict: string;
  remedy: string;
};

export type AllowedAddresses = {
  networks: AllowedNetwork[];
  endpoints: AllowedEndpoint[];
  private_only: boolean;
  revision: number;
  changed_at: string | null;
  changed_by: string;
  your_address: string;
  locked_out: string[];
  warnings: string[];
};
