import { z } from 'zod'

const RELEASE = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/

/** Body of POST /admin/v1/shim-releases: a released shim by version (MAJOR.MINOR.PATCH) and bare hex checksum. */
export const shimReleaseCreateSchema = z.strictObject({
  version: z.string().regex(RELEASE, 'A version is MAJOR.MINOR.PATCH in numbers.'),
  checksum: z.string().regex(/^(sha256:)?[0-9a-f]{64}$/, 'A checksum is 64 lowercase hex digits of SHA-256.'),
  /** Policy `min_release` asks for this version or a newer one. */
  minimum: z.boolean().default(false),
})
export type ShimReleaseCreate = z.output<typeof shimReleaseCreateSchema>

export const shimReleaseSchema = z.object({
  version: z.string(),
  checksum: z.string(),
  minimum: z.boolean(),
  status: z.enum(['released', 'withdrawn']),
  released_at: z.string(),
  withdrawn_at: z.string().nullable(),
})
export type ShimReleaseView = z.output<typeof shimReleaseSchema>
