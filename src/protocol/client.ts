import { z } from 'zod'
import { accessSchema } from './access.ts'
import { executionLimitsSchema, LIMITS_DEFAULT } from './execution.ts'
import { AGENT_GRANT, AGENT_GRANT_SHORT, CLIENT_CREDENTIALS_GRANT, TOKEN_EXCHANGE_GRANT } from './grant-types.ts'
import { clientIdSchema, subjectNameSchema } from './names.ts'
import { DRAIN_SECONDS_MAX } from './time.ts'

export const AUTH_METHODS = ['private_key_jwt', 'client_secret_basic', 'client_secret_post'] as const
export type AuthMethod = (typeof AUTH_METHODS)[number]

const grantTypeSchema = z
  .enum([CLIENT_CREDENTIALS_GRANT, AGENT_GRANT, AGENT_GRANT_SHORT, TOKEN_EXCHANGE_GRANT])
  .transform(grant => (grant === AGENT_GRANT_SHORT ? AGENT_GRANT : grant))

/** One policy each, without its default: what a change may name. */
const policy = {
  /** `recorded`: the server keeps executions; `asserted`: what is done and who delegated is the caller's word ([D]). */
  workflow_state: z.enum(['recorded', 'asserted']),
  /** Of each execution, and for delegation without one; an execution may have lower ones (section 6). */
  limits: executionLimitsSchema
    .partial()
    .refine(limits => Object.keys(limits).length > 0, 'Name at least one limit to change.'),
  agent_proof: z.enum(['required', 'optional']),
  /** `endorsed`: a key of the client's own JWKS may endorse keys of its agents (section 4, key statement). */
  agent_keys: z.enum(['registered', 'endorsed']),
  max_endorsed_keys: z.int().min(1).max(100_000),
  default_grant: z.enum(['none', 'client']),
  require_approval: z.boolean(),
  /** Seconds: how long an older version may go on minting beside a new one. */
  max_drain_seconds: z.int().min(0).max(DRAIN_SECONDS_MAX),
  dpop_nonce: z.enum(['optional', 'required']),
  allow_bearer: z.boolean(),
  allow_bearer_admin: z.boolean(),
  /** What `X-Shim-Checksum` must say: nothing, recorded, or a released shim of at least the minimum version. */
  shim: z.enum(['off', 'record', 'min_release']),
}

const { max_tokens, max_children, max_nodes } = executionLimitsSchema.shape
const limitsSchema = z.strictObject({
  max_tokens: max_tokens.default(LIMITS_DEFAULT.max_tokens),
  max_children: max_children.default(LIMITS_DEFAULT.max_children),
  max_nodes: max_nodes.default(LIMITS_DEFAULT.max_nodes),
})

/**
 * What an administrator lets a client do beyond its access (protocol.md section 11). A member that is not here is not
 * known and refused. What an administrator leaves out is stored as it is now: a later default changes no client.
 */
export const policiesSchema = z.strictObject({
  workflow_state: policy.workflow_state.default('recorded'),
  limits: limitsSchema.prefault({}),
  agent_proof: policy.agent_proof.default('required'),
  agent_keys: policy.agent_keys.default('registered'),
  max_endorsed_keys: policy.max_endorsed_keys.default(1_000),
  default_grant: policy.default_grant.default('none'),
  require_approval: policy.require_approval.default(false),
  max_drain_seconds: policy.max_drain_seconds.default(3_600),
  dpop_nonce: policy.dpop_nonce.default('optional'),
  allow_bearer: policy.allow_bearer.default(false),
  allow_bearer_admin: policy.allow_bearer_admin.default(false),
  shim: policy.shim.default('off'),
})
export type Policies = z.output<typeof policiesSchema>

/** Where a client's public keys are fetched: https; http only where the server allows private fetches. */
const jwksUriSchema = z
  .string()
  .max(2048)
  .refine(text => ['https:', 'http:'].includes(URL.parse(text)?.protocol ?? ''), 'must be an https URL')

/** Body of POST /admin/v1/clients: RFC 7591 names where one exists. */
export const clientCreateSchema = z
  .strictObject({
    client_id: clientIdSchema.optional(),
    client_name: z.string().min(1).max(200),
    owner: subjectNameSchema,
    kind: z.enum(['app', 'service', 'operator']),
    token_endpoint_auth_method: z.enum(AUTH_METHODS),
    jwks: z.unknown().optional(),
    jwks_uri: jwksUriSchema.optional(),
    grant_types: z.array(grantTypeSchema).min(1).max(8),
    access: accessSchema,
    registers_for: z.array(clientIdSchema).max(64).default([]),
    policies: policiesSchema.prefault({}),
  })
  .refine(
    ({ token_endpoint_auth_method, jwks, jwks_uri }) =>
      [jwks, jwks_uri].filter(keys => keys !== undefined).length ===
      (token_endpoint_auth_method === 'private_key_jwt' ? 1 : 0),
    {
      path: ['jwks'],
      message: 'one of jwks and jwks_uri goes with token_endpoint_auth_method private_key_jwt, and only with it.',
    },
  )
export type ClientCreate = z.output<typeof clientCreateSchema>

/**
 * Body of PATCH /admin/v1/clients/{id}: absent members stay; `policies` changes only the policies that it names, and
 * `limits` only the limits; `jwks` takes the place of a `jwks_uri` and the other way round.
 */
export const clientUpdateSchema = z
  .strictObject({
    client_name: z.string().min(1).max(200),
    owner: subjectNameSchema,
    jwks: z.unknown(),
    jwks_uri: jwksUriSchema,
    grant_types: z.array(grantTypeSchema).min(1).max(8),
    access: accessSchema,
    registers_for: z.array(clientIdSchema).max(64),
    policies: z.strictObject(policy).partial(),
  })
  .partial()
  .refine(body => Object.keys(body).length > 0, 'Name at least one member to change.')
  .refine(body => body.jwks === undefined || body.jwks_uri === undefined, 'Send jwks or jwks_uri, not both.')
export type ClientUpdate = z.output<typeof clientUpdateSchema>

/** Longest time that an older secret stays valid beside a new one, in seconds: a week. */
export const SECRET_OVERLAP_MAX = 604_800

/** Body of POST /admin/v1/clients/{id}/secret: how long the secrets before it stay valid, in seconds. */
export const secretRotationSchema = z.strictObject({
  overlap_seconds: z.int().min(0).max(SECRET_OVERLAP_MAX).default(0),
})
export type SecretRotation = z.output<typeof secretRotationSchema>

/** A client as the admin API shows it. Never a secret. */
export const clientSchema = z.object({
  client_id: z.string(),
  client_name: z.string(),
  owner: z.string(),
  kind: z.string(),
  token_endpoint_auth_method: z.string(),
  jwks: z.unknown().nullable(),
  jwks_uri: z.string().nullable(),
  grant_types: z.array(z.string()),
  access: z.array(z.object({ resource: z.string(), scope: z.string() })),
  registers_for: z.array(z.string()),
  policies: policiesSchema,
  /** Those that are valid now, newest first; never the secret or its digest. */
  secrets: z.array(z.object({ created_at: z.string(), expires_at: z.string().nullable() })),
  status: z.string(),
  created_at: z.string(),
  updated_at: z.string().nullable(),
})
