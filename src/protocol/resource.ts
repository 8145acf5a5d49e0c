import { z } from 'zod'
import { resourceUriSchema } from './access.ts'
import { clientIdSchema } from './names.ts'
import { TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_HARD_LIMIT } from './time.ts'

export const TOKEN_PROFILES = ['interop', 'draft'] as const
export type TokenProfile = (typeof TOKEN_PROFILES)[number]

/** Signature algorithms of our own token keys. `EdDSA` is Ed25519. protocol.md section 7. */
export const SIGNING_ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const
export type SigningAlg = (typeof SIGNING_ALGS)[number]

/** How much of a delegation chain an API's tokens show (protocol.md section 7); enters tokens once delegation is signed. */
export const CHAIN_DISCLOSURES = ['actors', 'hash', 'proofs'] as const
export type ChainDisclosure = (typeof CHAIN_DISCLOSURES)[number]

/** `pairwise`: an API sees an opaque value of its own instead of `workflow_id` (protocol.md section 7). */
export const WORKFLOW_NAMES = ['plain', 'pairwise'] as const
export type WorkflowNames = (typeof WORKFLOW_NAMES)[number]

/** The API owner's own marks: minted only for a recorded step, or only with an approval (protocol.md section 6). */
const resourceScopeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'A scope is 1 to 256 characters of RFC 6749 section 3.3.'),
  workflow: z.boolean().default(false),
  approval: z.boolean().default(false),
})
export type ResourceScope = z.output<typeof resourceScopeSchema>

const scopesSchema = z
  .array(resourceScopeSchema)
  .min(1)
  .max(64)
  .refine(scopes => new Set(scopes.map(s => s.name)).size === scopes.length, 'A scope is named twice.')
const maxTokenLifetimeSchema = z.int().min(10).max(TOKEN_LIFETIME_HARD_LIMIT)

/** Body of POST /admin/v1/resources (protocol.md section 11). */
export const resourceCreateSchema = z.strictObject({
  resource: resourceUriSchema,
  scopes: scopesSchema,
  token_profile: z.enum(TOKEN_PROFILES).default('interop'),
  signing_alg: z.enum(SIGNING_ALGS).default('ES256'),
  max_token_lifetime: maxTokenLifetimeSchema.default(TOKEN_LIFETIME_DEFAULT),
  allow_bearer: z.boolean().default(false),
  chain_disclosure: z.enum(CHAIN_DISCLOSURES).default('actors'),
  workflow_names: z.enum(WORKFLOW_NAMES).default('plain'),
  client_id: clientIdSchema.optional(),
})
export type ResourceCreate = z.output<typeof resourceCreateSchema>

/** Body of PATCH /admin/v1/resources?resource=: absent members stay, `client_id: null` takes the client away. */
export const resourceUpdateSchema = z
  .strictObject({
    scopes: scopesSchema,
    token_profile: z.enum(TOKEN_PROFILES),
    signing_alg: z.enum(SIGNING_ALGS),
    max_token_lifetime: maxTokenLifetimeSchema,
    allow_bearer: z.boolean(),
    chain_disclosure: z.enum(CHAIN_DISCLOSURES),
    workflow_names: z.enum(WORKFLOW_NAMES),
    client_id: clientIdSchema.nullable(),
  })
  .partial()
  .refine(body => Object.keys(body).length > 0, 'Name at least one member to change.')
export type ResourceUpdate = z.output<typeof resourceUpdateSchema>

/** A resource as the admin API shows it. */
export const resourceSchema = z.object({
  resource: z.string(),
  scopes: z.array(z.object({ name: z.string(), workflow: z.boolean(), approval: z.boolean() })),
  token_profile: z.string(),
  signing_alg: z.string(),
  max_token_lifetime: z.number(),
  allow_bearer: z.boolean(),
  client_id: z.string().nullable(),
  chain_disclosure: z.string(),
  workflow_names: z.string(),
  status: z.string(),
  created_at: z.string(),
  updated_at: z.string().nullable(),
})

/** Answer of PATCH and DELETE: `clients` is how many name in their access what was taken away. */
export const resourceChangedSchema = resourceSchema.extend({ clients: z.int() })
