export type TokenKind = "agent" | "scaler" | "sentinel";

export type Token = {
  id: string;
  name: string;
  site: string;
  kind: TokenKind;
  description: string;
  prefix: string;
  created_at: string;
  created_by: string;
  expires_at: string | null;
  last_used_at: string | null;
  rotated_at: string | null;
  old_values_until: string | null;
};

export type TokenCreated = Token & { token: string };
