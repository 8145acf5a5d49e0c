import { z } from 'zod'
import { resourceUriSchema } from './access.ts'
import { clientIdSchema } from './names.ts'
import { TOKEN_LIFETIME_DEFAULT, TOKEN_LIFETIME_HARD_LIMIT } from './time.ts'

export const TOKEN_PROFILES = ['interop', 'draft'] as const
export type TokenProfile = (typeof TOKEN_PROFILES)[number]

/** Signature algorithms of our own token keys. `EdDSA` is Ed25519. protocol.md section 7. */
export const SIGNING_ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const
export type SigningAlg = (typeof SIGNING_ALGS)[number]

/** The API owner's own marks: minted only for a recorded step, or only with an approval (protocol.md section 6). */
const resourceScopeSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'A scope is 1 to 256 characters of RFC 6749 section 3.3.'),
  workflow: z.boolean().default(false),
  approval: z.boolean().default(false),
})
export type ResourceScope = z.output<typeof resourceScopeSchema>

/** Body of POST /admin/v1/resources (protocol.md section 11). */
export const resourceCreateSchema = z.strictObject({
  resource: resourceUriSchema,
  scopes: z
    .array(resourceScopeSchema)
    .min(1)
    .max(64)
    .refine(scopes => new Set(scopes.map(s => s.name)).size === scopes.length, 'A scope is named twice.'),
  token_profile: z.enum(TOKEN_PROFILES).default('interop'),
  signing_alg: z.enum(SIGNING_ALGS).default('ES256'),
  max_token_lifetime: z.int().min(10).max(TOKEN_LIFETIME_HARD_LIMIT).default(TOKEN_LIFETIME_DEFAULT),
  allow_bearer: z.boolean().default(false),
  client_id: clientIdSchema.optional(),
})
export type ResourceCreate = z.output<typeof resourceCreateSchema>

/** A resource as the admin API shows it. */
export const resourceSchema = z.object({
  resource: z.string(),
  scopes: z.array(z.object({ name: z.string(), workflow: z.boolean(), approval: z.boolean() })),
  token_profile: z.string(),
  signing_alg: z.string(),
  max_token_lifetime: z.number(),
  allow_bearer: z.boolean(),
  client_id: z.string().nullable(),
  status: z.string(),
  created_at: z.string(),
})
