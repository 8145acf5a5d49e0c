/** Scopes of audience `<issuer>` (protocol.md section 2). */
export const ISSUER_SCOPES = [
  'generate:intent-token',
  'register:intent',
  'register:workflow',
  'read:agents',
  'read:agent-components',
  'report:refusals',
] as const
export type IssuerScope = (typeof ISSUER_SCOPES)[number]

/** Scopes of audience `<issuer>/admin` (protocol.md sections 2 and 11). */
export const ADMIN_SCOPES = [
  'admin:clients',
  'admin:resources',
  'admin:keys',
  'approve:agents',
  'approve:steps',
  'revoke',
  'audit:read',
] as const
export type AdminScope = (typeof ADMIN_SCOPES)[number]
