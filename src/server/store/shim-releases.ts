import { type Selectable, sql } from 'kysely'
import type { Context } from '../context.ts'
import type { ShimReleaseTable } from './schema-operation.ts'

export type ShimRelease = Selectable<ShimReleaseTable>

const COLUMNS = ['version', 'checksum', 'minimum', 'status', 'released_at', 'released_by', 'withdrawn_at'] as const
/** MAJOR.MINOR.PATCH as numbers. No index: releases are few. */
const NUMBERS = sql`string_to_array(version, '.')::integer[]`
const MOST_RELEASES = 1_000

/** @returns false where the version or the checksum was ever released (primary key, unique checksum) */
export async function insertShimRelease(tx: Context, row: ShimRelease): Promise<boolean> {
  const inserted = await tx.db
    .insertInto('shim_release')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .returning('version')
    .executeTakeFirst()
  return inserted !== undefined
}

/** Releases from the oldest version to the newest, withdrawn ones too, those after `after`. */
export async function listShimReleases(
  ctx: Context,
  page: { after?: string; limit: number },
): Promise<readonly ShimRelease[]> {
  const { after } = page
  return await ctx.db
    .selectFrom('shim_release')
    .select(COLUMNS)
    .$if(after !== undefined, query => {
      return query.where(sql<boolean>`${NUMBERS} > string_to_array(${after ?? ''}, '.')::integer[]`)
    })
    .orderBy(NUMBERS)
    .limit(page.limit)
    .execute()
}

/** The releases that were not withdrawn, from the oldest version to the newest; the newest thousand. */
export async function releasedShims(ctx: Context): Promise<readonly ShimRelease[]> {
  const newestFirst = await ctx.db
    .selectFrom('shim_release')
    .select(COLUMNS)
    .where('status', '=', 'released')
    .orderBy(NUMBERS, 'desc')
    .limit(MOST_RELEASES)
    .execute()
  return newestFirst.toReversed()
}

/** @returns undefined where there is no such release, or it was withdrawn before (primary key) */
export async function endShimRelease(tx: Context, version: string, now: Date): Promise<ShimRelease | undefined> {
  return await tx.db
    .updateTable('shim_release')
    .set({ status: 'withdrawn', withdrawn_at: now })
    .where('version', '=', version)
    .where('status', '=', 'released')
    .returning(COLUMNS)
    .executeTakeFirst()
}
