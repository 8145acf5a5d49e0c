import { z } from 'zod'
import { accessSchema } from './access.ts'
import { clientIdSchema } from './names.ts'

/** Who the tokens of an issuer speak of: people who start executions, people who administer, CI jobs. */
export const ISSUER_PURPOSES = ['user', 'operator', 'workload'] as const
export type IssuerPurpose = (typeof ISSUER_PURPOSES)[number]

/** Signature algorithms that we verify. `EdDSA` is Ed25519. */
export const FOREIGN_ALGS = ['ES256', 'EdDSA', 'PS256', 'RS256'] as const

const CLAIM_NAME = z.string().regex(/^(?!__proto__$)[\x21-\x7e]{1,128}$/)
const CLAIM_VALUE = z.union([z.string().min(1).max(512), z.number(), z.boolean()])

/** What a person or workload may have because one of its claims has this value, or an array with it. */
const accessByClaimSchema = z.strictObject({ claim: CLAIM_NAME, value: CLAIM_VALUE, access: accessSchema })
export type AccessByClaim = z.output<typeof accessByClaimSchema>

/** `local` is reserved for people of no issuer (protocol.md section 6). */
export const issuerNameSchema = clientIdSchema.refine(name => name !== 'local', '"local" is reserved.')

const httpUrl = z
  .string()
  .max(2048)
  .refine(text => ['https:', 'http:'].includes(URL.parse(text)?.protocol ?? ''), 'must be an https URL')

/** What stands in `iss`, character by character (RFC 8414 section 2). */
const issuerUrl = httpUrl.refine(
  text => /^[\x21-\x7e]+$/.test(text) && !/[?#@]/.test(text),
  'must be an issuer: an https URL without credentials, query and fragment',
)

const rules = {
  audience: z.string().min(1).max(512),
  jwks: z.unknown(),
  jwks_uri: httpUrl,
  algs: z.array(z.enum(FOREIGN_ALGS)).min(1).max(4),
  /** Kinds of token, without `application/` (RFC 7515 section 4.1.9). */
  typs: z
    .array(z.string().regex(/^(?!application\/)[\x21-\x7e]{1,64}$/i, 'is written without application/'))
    .min(1)
    .max(8),
  typ_may_be_absent: z.boolean(),
  /** The clients that may present its tokens. */
  clients: z.array(clientIdSchema).min(1).max(64),
  /** Seconds since `iat`. */
  max_age: z.int().min(1).max(86_400),
  /** What must be equal, besides `iss` and `aud`. */
  claims: z
    .record(CLAIM_NAME, CLAIM_VALUE)
    .refine(claims => !['iss', 'aud'].some(name => Object.hasOwn(claims, name)), 'issuer and audience have members')
    .refine(claims => Object.keys(claims).length <= 16, 'at most 16 claims'),
  /** Where it is not empty, `acr` must be one of these. */
  acr_values: z.array(z.string().min(1).max(256)).max(16),
  /** What everybody of this issuer may have; joined with what their claims add. */
  access: accessSchema,
  access_by_claim: z.array(accessByClaimSchema).max(64),
}

type Rights = {
  readonly purpose: IssuerPurpose
  readonly claims: Readonly<Record<string, unknown>>
  readonly access?: unknown
  readonly access_by_claim: readonly unknown[]
}

/** Why a record lacks what its purpose asks for, or undefined; true of a new record and of a changed one. */
export function purposeProblem({ purpose, claims, access, access_by_claim }: Rights): string | undefined {
  if (purpose === 'user') return undefined
  if (Object.keys(claims).length === 0) {
    return 'claims: operators and workloads need at least one claim that must be equal, besides iss and aud.'
  }
  const names = (access !== undefined && access !== null) || access_by_claim.length > 0
  return names ? undefined : 'access: operators and workloads need access or access_by_claim.'
}

/** Body of POST /admin/v1/trusted-issuers (protocol.md section 6). */
export const trustedIssuerCreateSchema = z
  .strictObject({
    name: issuerNameSchema,
    issuer: issuerUrl,
    purpose: z.enum(ISSUER_PURPOSES),
    audience: rules.audience,
    jwks: rules.jwks.optional(),
    jwks_uri: rules.jwks_uri.optional(),
    algs: rules.algs,
    typs: rules.typs.default(['JWT']),
    typ_may_be_absent: rules.typ_may_be_absent.default(false),
    clients: rules.clients,
    max_age: rules.max_age.default(300),
    claims: rules.claims.default({}),
    acr_values: rules.acr_values.default([]),
    access: rules.access.optional(),
    access_by_claim: rules.access_by_claim.default([]),
  })
  .refine(body => (body.jwks === undefined) !== (body.jwks_uri === undefined), {
    path: ['jwks'],
    message: 'send one of jwks and jwks_uri.',
  })
  .superRefine((body, check) => {
    const message = purposeProblem(body)
    if (message !== undefined) check.addIssue({ code: 'custom', message })
  })
export type TrustedIssuerCreate = z.output<typeof trustedIssuerCreateSchema>

/**
 * Body of PATCH /admin/v1/trusted-issuers/{name}: absent members stay; name, issuer and purpose never change; `jwks` takes
 * the place of a `jwks_uri` and the other way round; `access: null` takes it away, which for users is no ceiling.
 */
export const trustedIssuerUpdateSchema = z
  .strictObject({ ...rules, access: rules.access.nullable() })
  .partial()
  .refine(body => Object.keys(body).length > 0, 'Name at least one member to change.')
  .refine(body => body.jwks === undefined || body.jwks_uri === undefined, 'Send jwks or jwks_uri, not both.')
export type TrustedIssuerUpdate = z.output<typeof trustedIssuerUpdateSchema>

/** A trusted issuer as the admin API shows it. */
export const trustedIssuerSchema = z.object({
  name: z.string(),
  issuer: z.string(),
  purpose: z.enum(ISSUER_PURPOSES),
  audience: z.string(),
  jwks: z.unknown().nullable(),
  jwks_uri: z.string().nullable(),
  algs: z.array(z.string()),
  typs: z.array(z.string()),
  typ_may_be_absent: z.boolean(),
  clients: z.array(z.string()),
  max_age: z.int(),
  claims: z.record(z.string(), CLAIM_VALUE),
  acr_values: z.array(z.string()),
  access: z.array(z.object({ resource: z.string(), scope: z.string() })).nullable(),
  access_by_claim: z.array(accessByClaimSchema),
  status: z.string(),
  created_at: z.string(),
  created_by: z.string(),
  updated_at: z.string().nullable(),
})
export type TrustedIssuerView = z.output<typeof trustedIssuerSchema>

/** The answer to DELETE: what is left of it, and what goes on. */
export const trustedIssuerDeletedSchema = trustedIssuerSchema.extend({ note: z.string() })
export type TrustedIssuerDeleted = z.output<typeof trustedIssuerDeletedSchema>
