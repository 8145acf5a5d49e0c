import { z } from 'zod'
import { accessSchema } from './access.ts'
import { AGENT_GRANT, AGENT_GRANT_SHORT, CLIENT_CREDENTIALS_GRANT } from './grant-types.ts'
import { clientIdSchema, subjectNameSchema } from './names.ts'

export const AUTH_METHODS = ['private_key_jwt', 'client_secret_basic', 'client_secret_post'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

const grantTypeSchema = z
  .enum([CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, AGENT_GRANT_SHORT])
  .transform(grant => (grant === AGENT_GRANT_SHORT ? AGENT_GRANT : grant))

/**
 * What an administrator lets a client do beyond its access (protocol.md section 11). A member that is not here is not
 * built and refused. `workflow_state` has one value until executions exist, and is stored so.
 */
export const policiesSchema = z.strictObject({
  workflow_state: z
    .literal('asserted', 'Only "asserted" is built yet: executions, and with them "recorded", are not.')
    .default('asserted'),
  agent_proof: z.enum(['required', 'optional']).default('required'),
  default_grant: z.enum(['none', 'client']).default('none'),
  require_approval: z.boolean().default(false),
  dpop_nonce: z.enum(['optional', 'required']).default('optional'),
  allow_bearer: z.boolean().default(false),
  allow_bearer_admin: z.boolean().default(false),
})
export type Policies = z.output<typeof policiesSchema>

/** Body of POST /admin/v1/clients: RFC 7591 names where one exists. */
export const clientCreateSchema = z
  .strictObject({
    client_id: clientIdSchema.optional(),
    client_name: z.string().min(1).max(200),
    owner: subjectNameSchema,
    kind: z.enum(['app', 'service', 'operator']),
    token_endpoint_auth_method: z.enum(AUTH_METHODS),
    jwks: z.unknown().optional(),
    grant_types: z.array(grantTypeSchema).min(1).max(8),
    access: accessSchema,
    registers_for: z.array(clientIdSchema).max(64).default([]),
    policies: policiesSchema.prefault({}),
  })
  .refine(client => (client.token_endpoint_auth_method === 'private_key_jwt') === (client.jwks !== undefined), {
    path: ['jwks'],
    message: 'jwks goes with token_endpoint_auth_method private_key_jwt, and only with it.',
  })
export type ClientCreate = z.output<typeof clientCreateSchema>

/** A client as the admin API shows it. Never a secret. */
export const clientSchema = z.object({
  client_id: z.string(),
  client_name: z.string(),
  owner: z.string(),
  kind: z.string(),
  token_endpoint_auth_method: z.string(),
  jwks: z.unknown().nullable(),
  grant_types: z.array(z.string()),
  access: z.array(z.object({ resource: z.string(), scope: z.string() })),
  registers_for: z.array(z.string()),
  policies: policiesSchema,
  status: z.string(),
  created_at: z.string(),
})
