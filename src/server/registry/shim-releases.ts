import { OAuthError } from '../../protocol/errors.ts'
import { Problem } from '../../protocol/problem.ts'
import {
  meetsMinimum,
  type ReleasedShims,
  type ShimReleaseCreate,
  type ShimReleaseView,
} from '../../protocol/shim-release.ts'
import type { Caller } from '../caller.ts'
import type { Context } from '../context.ts'
import type { Client } from '../store/clients.ts'
import {
  endShimRelease,
  insertShimRelease,
  listShimReleases,
  releasedShims,
  type ShimRelease,
} from '../store/shim-releases.ts'
import type { Outcome } from './act.ts'
import { decodeCursor, type Page, pageOf } from './cursor.ts'

/** What a request said of its shim, for the audit trail; `version` is a release's or why there is none. */
export type ShimFinding = { readonly version: string; readonly checksum?: string }

/** `X-Shim-Checksum` (protocol.md section 6). */
const HEADER = /^sha256 ([0-9a-f]{64})$/

/** Releases a shim, inside `act`. Throws Problem `conflict` for a version or a checksum that was ever released. */
export async function createShimRelease(
  tx: Context,
  caller: Caller,
  { version, checksum, minimum }: ShimReleaseCreate,
): Promise<Outcome<ShimReleaseView>> {
  const row: ShimRelease = {
    version,
    checksum: checksum.replace(/^sha256:/, ''),
    minimum,
    status: 'released',
    released_at: tx.now(),
    released_by: caller.sub,
    withdrawn_at: null,
  }
  if (!(await insertShimRelease(tx, row))) {
    throw new Problem(
      'conflict',
      'This version or checksum was released before; release another version.',
      'release_taken',
    )
  }
  return { status: 201, body: releaseView(row), audit: { details: { version, checksum: row.checksum, minimum } } }
}

/** Withdraws a release, inside `act`; its row stays. Throws Problem `not_found`. */
export async function withdrawShimRelease(tx: Context, version: string): Promise<Outcome<ShimReleaseView>> {
  const row = await endShimRelease(tx, version, tx.now())
  if (!row) throw new Problem('not_found', 'There is no release of this version that is not withdrawn.')
  return { status: 200, body: releaseView(row), audit: { details: { version } } }
}

export async function getShimReleases(
  ctx: Context,
  page: { cursor?: string; limit: number },
): Promise<Page<ShimReleaseView>> {
  const { cursorKey } = ctx.keys
  const after = page.cursor === undefined ? {} : { after: decodeCursor(cursorKey, 'shim-releases', page.cursor) }
  const rows = await listShimReleases(ctx, { ...after, limit: page.limit + 1 })
  const { items, next_cursor } = pageOf(cursorKey, 'shim-releases', rows, page.limit, row => row.version)
  return { items: items.map(releaseView), next_cursor }
}

/** What everybody may know: releases that were not withdrawn, the newest version last. */
export async function getReleasedShims(ctx: Context): Promise<ReleasedShims> {
  const releases = (await releasedShims(ctx)).map(({ version, checksum, minimum, released_at }) => ({
    version,
    checksum: `sha256:${checksum}`,
    minimum,
    released_at: released_at.toISOString(),
  }))
  return { releases }
}

/**
 * Row 6 of protocol.md section 6, second half: what the client's policy asks of the shim. Undefined where it asks
 * nothing. Throws `invalid_shim` under `min_release`.
 */
export async function checkShim(
  ctx: Context,
  client: Client,
  header: string | undefined,
): Promise<ShimFinding | undefined> {
  const { shim } = client.policies
  if (shim === 'off') return undefined
  const checksum = header === undefined ? undefined : HEADER.exec(header)?.[1]
  if (checksum === undefined) {
    const version = header === undefined ? 'none' : 'malformed'
    if (shim === 'record') return { version }
    throw shimRefused(header === undefined ? 'shim_none' : 'shim_malformed', version, await releasedShims(ctx))
  }
  const released = await releasedShims(ctx)
  const found = released.find(release => release.checksum === checksum)
  if (shim === 'min_release') {
    const sent = `${found?.version ?? 'unknown'}, sha256:${checksum}`
    if (!found) throw shimRefused('shim_unknown', sent, released)
    if (!meetsMinimum(found.version, released)) throw shimRefused('shim_below_minimum', sent, released)
  }
  return { version: found?.version ?? 'unknown', checksum }
}

function shimRefused(reason: string, shim_sent: string, released: readonly ShimRelease[]): OAuthError {
  const shim_minimum = released.findLast(({ minimum }) => minimum)?.version ?? 'none'
  return new OAuthError('invalid_shim', 'The client must send X-Shim-Checksum of a released shim that is new enough.', {
    ajwt_error: 'invalid_shim',
    reason,
    compared: { shim_sent, shim_minimum },
  })
}

function releaseView({ released_by: _, released_at, withdrawn_at, ...shown }: ShimRelease): ShimReleaseView {
  return { ...shown, released_at: released_at.toISOString(), withdrawn_at: withdrawn_at?.toISOString() ?? null }
}
