import { z } from 'zod'

/** MAJOR.MINOR.PATCH in numbers of at most six digits. */
const RELEASE = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/

export const shimVersionSchema = z.string().regex(RELEASE, 'A version is MAJOR.MINOR.PATCH in numbers.')

/** Body of POST /admin/v1/shim-releases: a released shim by version (MAJOR.MINOR.PATCH) and bare hex checksum. */
export const shimReleaseCreateSchema = z.strictObject({
  version: shimVersionSchema,
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

/** GET /.well-known/ajwt-shim-releases: what was not withdrawn, from the oldest version to the newest. */
export const releasedShimsSchema = z.object({
  releases: z.array(
    z.object({ version: z.string(), checksum: z.string(), minimum: z.boolean(), released_at: z.string() }),
  ),
})
export type ReleasedShims = z.output<typeof releasedShimsSchema>

/** Below zero where version `a` is older than `b`; both MAJOR.MINOR.PATCH. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)]
  return left.major - right.major || left.minor - right.minor || left.patch - right.patch
}

/** Policy `min_release`: a version from the highest one marked `minimum` on, or any where none is marked. */
export function meetsMinimum(version: string, released: readonly { version: string; minimum: boolean }[]): boolean {
  return released.every(release => !release.minimum || compareVersions(version, release.version) >= 0)
}

function numbersOf(version: string): { major: number; minor: number; patch: number } {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  return { major, minor, patch }
}
